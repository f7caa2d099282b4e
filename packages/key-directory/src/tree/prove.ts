import type { Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { subtreeReader, type HashSource, type LeafRange } from './hash-source.ts';
import { isTreeSize, powerOfTwoWithin } from './size.ts';

/**
 * The proof that `verifyInclusion` takes (RFC 9162 §2.1.3.1): at most 53 hashes of 32 bytes, from at most two
 * tiles of each level.
 * @throws DirectoryError `malformed` for an index outside the tree, `not-stored`
 */
export async function proveInclusion(
  primitives: Primitives,
  source: HashSource,
  index: number,
  size: number,
): Promise<Uint8Array[]> {
  if (!isTreeSize(size) || !isTreeSize(index) || index >= size) throw outside();
  return readFromLast(primitives, source, size, inclusionRanges(index, size));
}

/**
 * The proof that `verifyConsistency` takes (RFC 9162 §2.1.4.1), from the tree of the first `olderSize` leaves
 * to that of the first `newerSize`.
 * @throws DirectoryError `malformed` for sizes that have no proof, `not-stored`
 */
export async function proveConsistency(
  primitives: Primitives,
  source: HashSource,
  olderSize: number,
  newerSize: number,
): Promise<Uint8Array[]> {
  if (!isTreeSize(olderSize) || !isTreeSize(newerSize) || olderSize === 0 || olderSize > newerSize)
    throw outside();
  return readFromLast(primitives, source, newerSize, consistencyRanges(olderSize, newerSize));
}

/**
 * The root of the tree of the first `size` leaves: 32 bytes.
 * @throws DirectoryError `malformed` for a size of 0, `not-stored`
 */
export async function treeRoot(
  primitives: Primitives,
  source: HashSource,
  size: number,
): Promise<Uint8Array> {
  if (!isTreeSize(size) || size === 0) throw outside();
  return subtreeReader(primitives, source, size)([0, size]);
}

async function readFromLast(
  primitives: Primitives,
  source: HashSource,
  size: number,
  ranges: readonly LeafRange[],
): Promise<Uint8Array[]> {
  const read = subtreeReader(primitives, source, size);
  return Promise.all(ranges.map((_, i) => read(ranges[ranges.length - 1 - i] as LeafRange)));
}

/** PATH of RFC 9162 §2.1.3.1, from the root to the leaf. */
function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      ranges.push([middle, end]);
      end = middle;
    } else {
      ranges.push([start, middle]);
      start = middle;
    }
  }
  return ranges;
}

/** PROOF of RFC 9162 §2.1.4.1, from its end to its start. */
function consistencyRanges(older: number, newer: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let [start, end] = [0, newer];
  while (end !== older) {
    const middle = start + splitOf(end - start);
    if (older <= middle) {
      ranges.push([middle, end]);
      end = middle;
    } else {
      ranges.push([start, middle]);
      start = middle;
    }
  }
  // A subtree that starts the older tree is its root, which the verifier has.
  if (start !== 0) ranges.push([start, end]);
  return ranges;
}

/** The largest power of two below `count`, which is at least 2. */
function splitOf(count: number): number {
  return powerOfTwoWithin(count - 1);
}

function outside(): DirectoryError {
  return new DirectoryError('malformed', 'no such place in a tree of this size');
}
