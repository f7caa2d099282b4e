import { equalBytes, nodeHash, type Primitives } from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { halved, HASH_BYTES, isTreeSize, powerOfTwoWithin } from './size.ts';

/**
 * Checks that one tree is the start of another (RFC 9162 §2.1.4.2). Trees of one size need an empty proof and
 * equal roots. The empty tree is the start of every tree, so a proof from size 0 says nothing and is refused.
 * @throws DirectoryError `bad-proof`; a retry does not help
 */
export function verifyConsistency(
  primitives: Primitives,
  older: Checkpoint,
  newer: Checkpoint,
  proof: readonly Uint8Array[],
): void {
  if (!isTreeSize(older.size) || !isTreeSize(newer.size) || older.size > newer.size)
    throw badProof('the older tree is the larger one');
  if (older.size === newer.size) {
    if (proof.length !== 0) throw badProof('trees of one size need no proof');
    if (!equalBytes(older.root, newer.root)) throw badProof('two roots for one size');
    return;
  }
  if (older.size === 0) throw badProof('a proof from the empty tree says nothing');
  const [olderRoot, newerRoot] = rootsOf(primitives, older, newer.size, proof);
  if (!equalBytes(olderRoot, older.root)) throw badProof('the proof leads to another older root');
  if (!equalBytes(newerRoot, newer.root)) throw badProof('the proof leads to another newer root');
}

/** The roots of both trees as a proof has them. */
function rootsOf(
  primitives: Primitives,
  older: Checkpoint,
  newerSize: number,
  proof: readonly Uint8Array[],
): [older: Uint8Array, newer: Uint8Array] {
  const isPerfect = powerOfTwoWithin(older.size) === older.size;
  const [first, ...path] = isPerfect ? [older.root, ...proof] : proof;
  if (first?.length !== HASH_BYTES) throw badProof('a proof starts with a hash of 32 bytes');
  let at = older.size - 1;
  let last = newerSize - 1;
  for (; at % 2 === 1; at = halved(at)) last = halved(last);
  let olderRoot = first;
  let newerRoot = first;
  for (const hash of path) {
    if (last === 0) throw badProof('the proof is too long');
    if (hash.length !== HASH_BYTES) throw badProof('a hash of a proof has 32 bytes');
    if (at % 2 === 1 || at === last) {
      olderRoot = nodeHash(primitives, hash, olderRoot);
      newerRoot = nodeHash(primitives, hash, newerRoot);
      for (; at % 2 === 0 && at !== 0; at = halved(at)) last = halved(last);
    } else {
      newerRoot = nodeHash(primitives, newerRoot, hash);
    }
    at = halved(at);
    last = halved(last);
  }
  if (last !== 0) throw badProof('the proof is too short');
  return [olderRoot, newerRoot];
}
