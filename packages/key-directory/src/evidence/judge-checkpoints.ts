import { equalBytes, type Primitives } from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import type { LogCheckpoint } from '../note/checkpoint-text.ts';
import type { NoteKey } from '../note/key.ts';
import { isSameKey } from '../note/verify-note.ts';
import { verifyConsistency } from '../tree/consistency.ts';
import type { CheckpointFork } from './fork-proof.ts';
import type { ForkVerdict } from './fork-verdict.ts';
import { openNote, requireEachUsed } from './open-note.ts';

/** Two signed checkpoints: they prove a fork, or nothing. @throws DirectoryError as `verifyForkProof` */
export function judgeCheckpoints(primitives: Primitives, proof: CheckpointFork): ForkVerdict {
  const first = openNote(primitives, proof.first, proof.keys);
  const second = openNote(primitives, proof.second, proof.keys);
  const { origin } = first.checkpoint;
  if (second.checkpoint.origin !== origin) throw badProof('checkpoints of two logs');
  requireContradiction(primitives, first.checkpoint, second.checkpoint, proof);
  requireEachUsed(proof, [...first.signers, ...second.signers]);
  const against = first.signers.filter((key) => second.signers.some((other) => isSameKey(key, other)));
  return { claim: 'forked', origin, against, signers: [first.signers, second.signers], refused: null };
}

/** One root over the first entries follows from the later root; the first note must say another, or of one size another map. */
function requireContradiction(
  primitives: Primitives,
  first: LogCheckpoint,
  second: LogCheckpoint,
  { keys, olderRoot, consistency }: CheckpointFork,
): void {
  if (first.size === 0) throw badProof('nothing contradicts the empty log');
  const prefix = first.size === second.size ? second.root : olderRoot;
  if (prefix === null || (first.size === second.size) !== (olderRoot === null))
    throw badProof('the root to compare with is missing, or not needed');
  verifyConsistency(primitives, { size: first.size, root: prefix }, second, consistency);
  if (equalBytes(first.root, prefix) && !hasTwoMaps(first, second, keys))
    throw badProof('the checkpoints agree');
}

/**
 * A log of one size has one map. Only the log's own key says so: a witness from outside does not answer for the map,
 * and a cosignature does not name its maker, so no cosigner's key may stand in such a file.
 */
function hasTwoMaps(first: LogCheckpoint, second: LogCheckpoint, keys: readonly NoteKey[]): boolean {
  if (first.size !== second.size || first.mapRoot === null || second.mapRoot === null) return false;
  return !equalBytes(first.mapRoot, second.mapRoot) && keys.every(({ type }) => type === 'signature');
}
