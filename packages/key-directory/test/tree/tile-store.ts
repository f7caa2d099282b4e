import type { Primitives } from '@keytide/crypto-core';
import { appendToTiles, EMPTY_EDGE, type HashSource, type Tile, type TileEdge } from '@keytide/key-directory';

/** Tiles in memory, and what was asked of them. */
export class TileStore implements HashSource {
  edge: TileEdge = EMPTY_EDGE;
  /** Names of the tiles that were read, in order. */
  reads: string[] = [];
  readonly tiles = new Map<string, Uint8Array>();

  readTile: HashSource['readTile'] = ({ level, index }) => {
    this.reads.push(`${level}/${index}`);
    return Promise.resolve(this.tiles.get(`${level}/${index}`) ?? null);
  };

  /** Adds leaf hashes; the tiles that were written for them. */
  append(primitives: Primitives, leaves: readonly Uint8Array[]): Tile[] {
    const { edge, tiles } = appendToTiles(primitives, this.edge, leaves);
    for (const { level, index, hashes } of tiles) this.tiles.set(`${level}/${index}`, hashes);
    this.edge = edge;
    return tiles;
  }
}
