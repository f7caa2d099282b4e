import {
  appendLeaf,
  EMPTY_FRONTIER,
  encodeCbor,
  equalBytes,
  leafHash,
  rootOf,
  type MerkleFrontier,
  type Primitives,
} from '@keytide/crypto-core';
import { DirectoryError } from './errors.ts';
import type { DirectoryState } from './state.ts';

/** Names one exact log: its length and the root (32 bytes) of the Merkle tree over its wires. */
export interface Checkpoint {
  readonly size: number;
  readonly root: Uint8Array;
}

/** A stretch of a log: the tree before it (left out: the empty one), and its wires. */
export interface LogStretch {
  readonly before?: MerkleFrontier;
  readonly wires: readonly Uint8Array[];
}

/** The checkpoint of a state. */
export function checkpointOf(state: DirectoryState): Checkpoint {
  return { size: state.size, root: state.root };
}

/**
 * Checks that a log passes through a checkpoint that its reader holds already: from an invite, from a
 * member's statement, or from its own last visit. The stretch must reach back to the checkpoint.
 * @param source the bytes that the checkpoint came in, when they are signed: better evidence than the bare checkpoint
 * @throws DirectoryError `rolled-back` (the log ends before it), `forked` (another log); the evidence is the
 * checkpoint's source and the wire found in its place, or the last one of the short log
 */
export function verifyCheckpoint(
  primitives: Primitives,
  log: LogStretch,
  checkpoint: Checkpoint,
  source: Uint8Array = checkpointBytes(checkpoint),
): void {
  let tree = log.before ?? EMPTY_FRONTIER;
  if (checkpoint.size < tree.size || checkpoint.size === 0)
    throw new DirectoryError('malformed', 'the checkpoint lies outside what can be checked');
  let last: readonly Uint8Array[] = [];
  for (const wire of log.wires.slice(0, checkpoint.size - tree.size)) {
    tree = appendLeaf(primitives, tree, leafHash(primitives, wire));
    last = [wire];
  }
  const evidence = [source, ...last];
  if (tree.size < checkpoint.size)
    throw new DirectoryError('rolled-back', 'the log is shorter than it has been', { evidence });
  if (!equalBytes(rootOf(primitives, tree), checkpoint.root))
    throw new DirectoryError('forked', 'the log is not the one that the checkpoint names', { evidence });
}

/**
 * Compares two copies of a log, wire by wire. One may be longer.
 * @throws DirectoryError `forked` with the two wires at the first place where they differ
 */
export function assertSameHistory(ours: readonly Uint8Array[], theirs: readonly Uint8Array[]): void {
  for (const [index, our] of ours.entries()) {
    const their = theirs[index];
    if (their === undefined) return;
    if (!equalBytes(our, their))
      throw new DirectoryError('forked', `two logs from entry ${index} on`, { evidence: [our, their] });
  }
}

/** CBOR `[1, size, root]`. */
function checkpointBytes({ size, root }: Checkpoint): Uint8Array {
  return encodeCbor([1, size, root]);
}
