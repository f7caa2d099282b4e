import { equalBytes, nodeHash, type Primitives } from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import { halved, HASH_BYTES, isTreeSize } from './size.ts';

/** That a tree of `size` leaves with this root (32 bytes) has this leaf hash (32 bytes) at `index`. */
export interface InclusionClaim {
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * Checks that a leaf is in a tree (RFC 9162 §2.1.3.2). The proof is a list of hashes of 32 bytes, from the
 * leaf to the root, exactly as many as the place takes.
 * @throws DirectoryError `bad-proof`; a retry does not help
 */
export function verifyInclusion(
  primitives: Primitives,
  { leaf, index, size, root }: InclusionClaim,
  proof: readonly Uint8Array[],
): void {
  if (!isTreeSize(size) || !isTreeSize(index) || index >= size)
    throw badProof('the index lies outside the tree');
  if (leaf.length !== HASH_BYTES) throw badProof('a leaf hash has 32 bytes');
  let hash = leaf;
  let at = index;
  let last = size - 1;
  for (const sibling of proof) {
    if (last === 0) throw badProof('the proof is too long');
    if (sibling.length !== HASH_BYTES) throw badProof('a hash of a proof has 32 bytes');
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(primitives, sibling, hash);
      for (; at % 2 === 0 && at !== 0; at = halved(at)) last = halved(last);
    } else {
      hash = nodeHash(primitives, hash, sibling);
    }
    at = halved(at);
    last = halved(last);
  }
  if (last !== 0) throw badProof('the proof is too short');
  if (!equalBytes(hash, root)) throw badProof('the proof leads to another root');
}
