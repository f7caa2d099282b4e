import type { Primitives } from '@keytide/crypto-core';
import { parseCheckpointText } from '../note/checkpoint-text.ts';
import type { NoteKey } from '../note/key.ts';
import { parseNote } from '../note/note.ts';
import type { HashSource } from '../tree/hash-source.ts';
import { proveConsistency, treeRoot } from '../tree/prove.ts';
import { forkProofBytes, type ForkProof } from './fork-proof.ts';
import { verifyForkProof } from './verify-fork.ts';

/**
 * The file that proves two notes contradictory: `older` has the smaller tree or one of equal size, and
 * `source` holds the tiles of the newer note's tree, as they were shown with it. About 1 to 2 KB.
 * @throws DirectoryError as `verifyForkProof`: a file that would prove nothing is not made; `not-stored`
 */
export async function proveFork(
  primitives: Primitives,
  source: HashSource,
  notes: { readonly older: Uint8Array; readonly newer: Uint8Array },
  keys: readonly NoteKey[],
): Promise<Uint8Array> {
  const sizeOf = (note: Uint8Array): number => parseCheckpointText(parseNote(note).text).size;
  const [olderSize, newerSize] = [sizeOf(notes.older), sizeOf(notes.newer)];
  const isOneSize = olderSize === newerSize;
  return encodeForkProof(primitives, {
    kind: 'checkpoints',
    keys,
    first: notes.older,
    second: notes.newer,
    olderRoot: isOneSize ? null : await treeRoot(primitives, source, olderSize),
    consistency: isOneSize ? [] : await proveConsistency(primitives, source, olderSize, newerSize),
  });
}

/** A file of evidence. @throws DirectoryError as `verifyForkProof`: a file that would prove nothing is not made */
export function encodeForkProof(primitives: Primitives, proof: ForkProof): Uint8Array {
  const file = forkProofBytes(primitives, proof);
  verifyForkProof(primitives, file);
  return file;
}
