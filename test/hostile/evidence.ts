import type { ClientError } from '@keytide/client';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  logNoteKey,
  noteKeyText,
  originOf,
  parseCheckpointText,
  parseNote,
  verifyForkProof,
  verifyNote,
  type ForkVerdict,
  type NoteKey,
} from '@keytide/key-directory';
import { expect } from 'vitest';
import type { Person, Stage } from './stage.ts';

/** What the evidence proves to anybody who knows the relay's key and nothing else: it must accuse that key. */
export function verdictOf(stage: Stage, error: ClientError, person: Person): ForkVerdict {
  const verdict = verifyForkProof(primitives, error.evidence[0] as Uint8Array);
  const keys = verdict.against.map((key) => noteKeyText(primitives, key));
  expect(keys).toEqual([noteKeyText(primitives, keyOf(stage, person))]);
  return verdict;
}

/** The sizes of the logs in notes that the relay's key signed. */
export function sizesIn(stage: Stage, notes: readonly Uint8Array[], person: Person): number[] {
  return notes.map((bytes) => {
    const note = parseNote(bytes);
    expect(verifyNote(primitives, note, [keyOf(stage, person)]).verified).toHaveLength(1);
    return parseCheckpointText(note.text).size;
  });
}

function keyOf({ relayKey }: Stage, { client }: Person): NoteKey {
  return logNoteKey(originOf(client.org), relayKey.signer.publicKey);
}
