import { labelledHash, toHex, type Primitives } from '@keytide/crypto-core';
import type { MapItem } from '@keytide/key-directory';

/** The map of docs/spec/transparency.md by its definition, over keys as strings of 0 and 1. */
export function naiveRoot(primitives: Primitives, items: readonly MapItem[]): string {
  const bits = new Map(items.map((item) => [bitsOf(item.key), item]));
  return bits.size === 0 ? '00'.repeat(32) : toHex(subtree(primitives, bits, [...bits.keys()]));
}

function subtree(primitives: Primitives, items: Map<string, MapItem>, keys: readonly string[]): Uint8Array {
  const [only] = keys;
  if (only === undefined) throw new Error('a subtree has a key');
  if (keys.length === 1) {
    const { key, leaf } = items.get(only) as MapItem;
    return labelledHash(
      primitives,
      'mapNode',
      Uint8Array.of(0),
      key,
      labelledHash(primitives, 'mapValue', leaf),
    );
  }
  let position = 0;
  while (keys.every((key) => key[position] === only[position])) position += 1;
  const left = subtree(
    primitives,
    items,
    keys.filter((key) => key[position] === '0'),
  );
  const right = subtree(
    primitives,
    items,
    keys.filter((key) => key[position] === '1'),
  );
  const prefix = bytesOf(only.slice(0, position).padEnd(256, '0'));
  return labelledHash(primitives, 'mapNode', Uint8Array.of(1), Uint8Array.of(position), prefix, left, right);
}

function bitsOf(key: Uint8Array): string {
  return Array.from(key, (byte) => byte.toString(2).padStart(8, '0')).join('');
}

function bytesOf(bits: string): Uint8Array {
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}
