import { compareBytes, sorted, type Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { bitOf, firstDifference, prefixOf } from './key.ts';
import { EMPTY_MAP_ROOT, storedNode, type StoredNode } from './node.ts';

/** A head and where it belongs: key (32 bytes) and the head's bytes. */
export interface MapItem {
  readonly key: Uint8Array;
  readonly leaf: Uint8Array;
}

/** The root of the map of exactly these items, in any order: 32 bytes. @throws DirectoryError `malformed` for a key given twice */
export function mapRoot(primitives: Primitives, items: readonly MapItem[]): Uint8Array {
  return buildSubtree(primitives, inOrder(items), () => {});
}

/** Items by key, each key once. @throws DirectoryError `malformed` */
export function inOrder(items: readonly MapItem[]): MapItem[] {
  const ordered = sorted(items, (a, b) => compareBytes(a.key, b.key));
  for (let i = 1; i < ordered.length; i += 1) {
    if (compareBytes((ordered[i - 1] as MapItem).key, (ordered[i] as MapItem).key) === 0)
      throw new DirectoryError('malformed', 'one key twice');
  }
  return ordered;
}

/** Builds the subtree of ordered items, handing each node to `keep`; its root. */
export function buildSubtree(
  primitives: Primitives,
  items: readonly MapItem[],
  keep: (node: StoredNode) => void,
): Uint8Array {
  const [first] = items;
  const last = items[items.length - 1];
  if (first === undefined || last === undefined) return EMPTY_MAP_ROOT;
  if (items.length === 1) return kept(storedNode(primitives, { kind: 'leaf', ...first }), keep);
  const position = firstDifference(first.key, last.key);
  const [zeros, ones] = splitAt(items, position);
  const left = buildSubtree(primitives, zeros, keep);
  const right = buildSubtree(primitives, ones, keep);
  const prefix = prefixOf(first.key, position);
  return kept(storedNode(primitives, { kind: 'branch', position, prefix, left, right }), keep);
}

/** Ordered items that agree up to `position`, by their bit there. */
export function splitAt(items: readonly MapItem[], position: number): [zeros: MapItem[], ones: MapItem[]] {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bitOf((items[middle] as MapItem).key, position) === 0) low = middle + 1;
    else high = middle;
  }
  return [items.slice(0, low), items.slice(low)];
}

function kept(node: StoredNode, keep: (node: StoredNode) => void): Uint8Array {
  keep(node);
  return node.hash;
}
