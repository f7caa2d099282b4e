import { HASH_BYTES, isTreeSize } from './size.ts';

/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH: number = 256;

/** The highest level that C2SP tlog-tiles allows. */
const MAX_LEVEL = 63;

/** Which tile: the hashes from `index` × 256 on at `level`, where level 0 has the leaf hashes and each level above the roots of full tiles below. */
export interface TileName {
  /** `entries` names the bundle of the entries themselves. */
  readonly level: number | 'entries';
  readonly index: number;
  /** How many hashes or entries: 256 for a full tile, fewer for the last one of a level. */
  readonly width: number;
}

/** A tile of hashes: 32 bytes for each, 1 to 256 of them. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

/** How many hashes a tile has in a tree of `size` leaves: 0 to 256. */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

/** How many hashes these bytes are. */
export function widthOf(hashes: Uint8Array): number {
  return hashes.length / HASH_BYTES;
}

/** The path of a tile under the log's address, `tile/0/x001/x234/067.p/8` (C2SP tlog-tiles). */
export function tilePath({ level, index, width }: TileName): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/.{3}/g) as string[];
  const path = groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join('/');
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const PATH = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** Reads what `tilePath` writes; `null` for anything else, also for leading zeros and a width of 256. */
export function parseTilePath(path: string): TileName | null {
  const match = PATH.exec(path);
  if (match === null) return null;
  const [, levelText, groups, widthText] = match as unknown as [string, string, string, string | undefined];
  const level = levelText === 'entries' ? 'entries' : Number(levelText);
  const index = Number(groups.replace(/[x/]/g, ''));
  const width = widthText === undefined ? TILE_WIDTH : Number(widthText);
  if ((level !== 'entries' && level > MAX_LEVEL) || !isTreeSize(index) || width > TILE_WIDTH) return null;
  const name: TileName = { level, index, width };
  return tilePath(name) === path ? name : null;
}
