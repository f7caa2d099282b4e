import type { Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { perfectRoot, type HashSource } from './hash-source.ts';
import { HASH_BYTES, isTreeSize } from './size.ts';
import { TILE_WIDTH, tileWidth, type Tile } from './tile.ts';

/** What appending takes: the size, and by level the hashes of the tile that is not full yet. Never changed in place. */
export interface TileEdge {
  readonly size: number;
  /** Each 0 to 255 hashes of 32 bytes. */
  readonly partial: readonly Uint8Array[];
}

/** The edge of the tree without leaves. */
export const EMPTY_EDGE: TileEdge = { size: 0, partial: [] };

/**
 * The tiles that are written when `leaves` (leaf hashes, 32 bytes each) are added, full ones and the partial
 * one of each level that grew: at most count ÷ 256 + 2 on the lowest level, and on each further level a
 * 256th of that. A partial tile replaces the one of the same level and index.
 */
export function appendToTiles(
  primitives: Primitives,
  edge: TileEdge,
  leaves: readonly Uint8Array[],
): { edge: TileEdge; tiles: Tile[] } {
  const tiles: Tile[] = [];
  const partial = [...edge.partial];
  let incoming = leaves;
  for (let level = 0; incoming.length > 0; level += 1) {
    const firstIndex = Math.floor(edge.size / TILE_WIDTH ** (level + 1));
    const written = cutTiles(joinHashes(partial[level] ?? new Uint8Array(0), incoming));
    for (const [i, hashes] of written.entries()) tiles.push({ level, index: firstIndex + i, hashes });
    const full = written.filter(isFull);
    partial[level] = full.length < written.length ? (written[full.length] as Uint8Array) : new Uint8Array(0);
    incoming = full.map((hashes) => perfectRoot(primitives, hashes));
  }
  return { edge: { size: edge.size + leaves.length, partial }, tiles };
}

/**
 * The edge of the first `size` leaves, from what is stored.
 * @throws DirectoryError `malformed` for what is no size, `not-stored`
 */
export async function readEdge(source: HashSource, size: number): Promise<TileEdge> {
  if (!isTreeSize(size)) throw new DirectoryError('malformed', 'not a size');
  const partial: Uint8Array[] = [];
  for (let level = 0, hashes = size; hashes > 0; level += 1, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const index = Math.floor(hashes / TILE_WIDTH);
    const width = tileWidth(level, index, size);
    const tile = width === 0 ? new Uint8Array(0) : await source.readTile({ level, index, width });
    if (tile === null || tile.length < width * HASH_BYTES)
      throw new DirectoryError('not-stored', `tile ${level}/${index} is not stored`);
    partial.push(tile.slice(0, width * HASH_BYTES));
  }
  return { size, partial };
}

function isFull(hashes: Uint8Array): boolean {
  return hashes.length === TILE_WIDTH * HASH_BYTES;
}

function joinHashes(before: Uint8Array, more: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(before.length + more.length * HASH_BYTES);
  joined.set(before);
  for (const [i, hash] of more.entries()) joined.set(hash, before.length + i * HASH_BYTES);
  return joined;
}

function cutTiles(hashes: Uint8Array): Uint8Array[] {
  const tiles: Uint8Array[] = [];
  const tileBytes = TILE_WIDTH * HASH_BYTES;
  for (let at = 0; at < hashes.length; at += tileBytes) tiles.push(hashes.slice(at, at + tileBytes));
  return tiles;
}
