import { nodeHash, type Primitives } from '@keytide/crypto-core';

/** The definitions of RFC 9162 §2.1, word for word: slow and obvious. `leaves` are leaf hashes. */
export function treeHash(primitives: Primitives, leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return primitives.sha256(new Uint8Array(0));
  if (leaves.length === 1) return first;
  const k = split(leaves.length);
  return nodeHash(
    primitives,
    treeHash(primitives, leaves.slice(0, k)),
    treeHash(primitives, leaves.slice(k)),
  );
}

/** PATH(m, D_n). */
export function path(primitives: Primitives, m: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return m < k
    ? [...path(primitives, m, left), treeHash(primitives, right)]
    : [...path(primitives, m - k, right), treeHash(primitives, left)];
}

/** SUBPROOF(m, D_n, b). */
export function subproof(
  primitives: Primitives,
  m: number,
  leaves: readonly Uint8Array[],
  isKnown = true,
): Uint8Array[] {
  if (m === leaves.length) return isKnown ? [] : [treeHash(primitives, leaves)];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return m <= k
    ? [...subproof(primitives, m, left, isKnown), treeHash(primitives, right)]
    : [...subproof(primitives, m - k, right, false), treeHash(primitives, left)];
}

function split(size: number): number {
  let k = 1;
  while (2 * k < size) k *= 2;
  return k;
}
