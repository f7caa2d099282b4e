import { concatBytes } from './bytes.ts';
import type { Primitives } from './primitives.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const HASH_BYTES = 32;
/** Written anew for each node: memory of its own takes longer than the hash, and a log has a million of them. */
const nodeInput: Uint8Array = new Uint8Array(NODE.length + 2 * HASH_BYTES);

/**
 * All that is needed to append to a Merkle tree (RFC 9162 §2.1): how many leaves it has, and the roots of
 * its perfect subtrees, largest first. At most 53 hashes of 32 bytes. Never changed in place.
 */
export interface MerkleFrontier {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

/** The tree without leaves. */
export const EMPTY_FRONTIER: MerkleFrontier = { size: 0, hashes: [] };

/** SHA-256(0x00 ‖ entry), RFC 9162 §2.1.1: 32 bytes. */
export function leafHash(primitives: Primitives, entry: Uint8Array): Uint8Array {
  return primitives.sha256(concatBytes(LEAF, entry));
}

/** SHA-256(0x01 ‖ left ‖ right), RFC 9162 §2.1.1: 32 bytes. */
export function nodeHash(primitives: Primitives, left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES)
    return primitives.sha256(concatBytes(NODE, left, right));
  nodeInput.set(NODE);
  nodeInput.set(left, NODE.length);
  nodeInput.set(right, NODE.length + HASH_BYTES);
  return primitives.sha256(nodeInput);
}

/** The frontier with one more leaf. `leaf` is a `leafHash`. */
export function appendLeaf(
  primitives: Primitives,
  frontier: MerkleFrontier,
  leaf: Uint8Array,
): MerkleFrontier {
  const hashes = [...frontier.hashes];
  let node = leaf;
  for (let size = frontier.size; size % 2 === 1; size = Math.floor(size / 2))
    node = nodeHash(primitives, hashes.pop() as Uint8Array, node);
  hashes.push(node);
  return { size: frontier.size + 1, hashes };
}

/** The tree's root, 32 bytes; SHA-256 of nothing for the empty tree (RFC 9162 §2.1.1). */
export function rootOf(primitives: Primitives, frontier: MerkleFrontier): Uint8Array {
  const { hashes } = frontier;
  if (hashes.length === 0) return primitives.sha256(new Uint8Array(0));
  return hashes.reduceRight((right, left) => nodeHash(primitives, left, right));
}
