import { leafHash, type Primitives } from '@keytide/crypto-core';
import { appendToTiles, EMPTY_EDGE, type HashSource, type HashTileName } from '@keytide/key-directory';

/** How to get more of the membership log, and what the relay signs of it. Nothing of it is true until verified. */
export interface LogSource extends HashSource {
  /** Wires from index `from`, and the size that the relay claims. */
  readLog(from: number): Promise<{ entries: readonly Uint8Array[]; size: number }>;
  /** Hands an entry in that the relay has lost; its index. @throws ClientError `relay-refused` */
  appendLog(entry: Uint8Array): Promise<number>;
  /** The newest checkpoint, a signed note. */
  readCheckpoint(): Promise<Uint8Array>;
}

/** The tiles of a log that is here. */
export function tilesOf(primitives: Primitives, wires: readonly Uint8Array[]): HashSource {
  const leaves = wires.map((wire) => leafHash(primitives, wire));
  const { tiles } = appendToTiles(primitives, EMPTY_EDGE, leaves);
  const nameOf = ({ level, index }: Pick<HashTileName, 'level' | 'index'>): string => `${level}/${index}`;
  const byName = new Map(tiles.map((tile) => [nameOf(tile), tile.hashes]));
  return { readTile: (tile) => Promise.resolve(byName.get(nameOf(tile)) ?? null) };
}
