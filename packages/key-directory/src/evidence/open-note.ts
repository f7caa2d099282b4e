import type { Primitives } from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import { parseCheckpointText, type LogCheckpoint } from '../note/checkpoint-text.ts';
import type { NoteKey } from '../note/key.ts';
import { parseNote } from '../note/note.ts';
import { isSameKey, verifyNote } from '../note/verify-note.ts';
import type { ForkProof } from './fork-proof.ts';

/** A checkpoint and who of the keys signed it, at least one. @throws DirectoryError `bad-proof`; as `parseNote`, `verifyNote` */
export function openNote(
  primitives: Primitives,
  bytes: Uint8Array,
  keys: readonly NoteKey[],
): { checkpoint: LogCheckpoint; signers: NoteKey[] } {
  const note = parseNote(bytes);
  const checkpoint = parseCheckpointText(note.text);
  const signers: NoteKey[] = [];
  for (const { key } of verifyNote(primitives, note, keys).verified) {
    if (key.type === 'signature' && key.name !== checkpoint.origin)
      throw badProof('a signature that is neither a cosignature nor the log’s own');
    if (!signers.some((known) => isSameKey(known, key))) signers.push(key);
  }
  if (signers.length === 0) throw badProof('nobody signed a checkpoint');
  return { checkpoint, signers };
}

/** A key that signed nothing has no place in an accusation, and one key must not appear under two names. */
export function requireEachUsed({ keys }: ForkProof, signers: readonly NoteKey[]): void {
  for (const [i, key] of keys.entries()) {
    if (!signers.some((signer) => isSameKey(signer, key))) throw badProof('a key that signed nothing');
    if (keys.slice(0, i).some((other) => isSameKey(other, key))) throw badProof('one key twice');
  }
}
