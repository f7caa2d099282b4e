import { nodeHash, type Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { HASH_BYTES, powerOfTwoWithin } from './size.ts';
import { TILE_WIDTH, tileWidth, widthOf, type TileName } from './tile.ts';

/** Which tile of hashes. */
export interface HashTileName extends TileName {
  readonly level: number;
}

/**
 * Where the tiles of one log are kept. What is proved from them is checked by whoever receives the proof, so
 * a source is trusted for availability only.
 */
export interface HashSource {
  /** At least `width` hashes of the tile, 32 bytes each; more are welcome. `null` when they are not stored. */
  readTile(tile: HashTileName): Promise<Uint8Array | null>;
}

/** Leaves from `start` (inclusive) to `end` (exclusive), aligned as a subtree of RFC 9162 is. */
export type LeafRange = readonly [start: number, end: number];

/** Hashes of subtrees of one tree. Reads no tile twice. */
export type SubtreeReader = (range: LeafRange) => Promise<Uint8Array>;

/** Reads subtrees of the tree of the first `size` leaves. */
export function subtreeReader(primitives: Primitives, source: HashSource, size: number): SubtreeReader {
  const tiles = new Map<string, Promise<Uint8Array>>();

  const tile = (level: number, index: number): Promise<Uint8Array> => {
    const name = `${level}/${index}`;
    const known =
      tiles.get(name) ?? readChecked(source, { level, index, width: tileWidth(level, index, size) });
    tiles.set(name, known);
    return known;
  };

  const perfect = async (start: number, count: number): Promise<Uint8Array> => {
    let level = 0;
    let [first, wanted] = [start, count];
    for (; wanted >= TILE_WIDTH; wanted /= TILE_WIDTH) {
      first /= TILE_WIDTH;
      level += 1;
    }
    const hashes = await tile(level, Math.floor(first / TILE_WIDTH));
    const offset = (first % TILE_WIDTH) * HASH_BYTES;
    return perfectRoot(primitives, hashes.subarray(offset, offset + wanted * HASH_BYTES));
  };

  return async ([start, end]) => {
    const parts: Promise<Uint8Array>[] = [];
    for (let at = start; at < end;) {
      const count = powerOfTwoWithin(end - at);
      parts.push(perfect(at, count));
      at += count;
    }
    const hashes = await Promise.all(parts);
    return hashes.reduceRight((right, left) => nodeHash(primitives, left, right));
  };
}

/** The root over a power of two of hashes. */
export function perfectRoot(primitives: Primitives, hashes: Uint8Array): Uint8Array {
  let row: Uint8Array[] = [];
  for (let at = 0; at < hashes.length; at += HASH_BYTES) row.push(hashes.slice(at, at + HASH_BYTES));
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i < row.length; i += 2)
      above.push(nodeHash(primitives, row[i] as Uint8Array, row[i + 1] as Uint8Array));
    row = above;
  }
  return row[0] as Uint8Array;
}

async function readChecked(source: HashSource, tile: HashTileName): Promise<Uint8Array> {
  const hashes = await source.readTile(tile);
  if (hashes === null || widthOf(hashes) < tile.width)
    throw new DirectoryError('not-stored', `tile ${tile.level}/${tile.index} is not stored`);
  return hashes;
}
