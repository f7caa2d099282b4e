import { leafHash, toHex, type OrgId, type Primitives, type Signer } from '@keytide/crypto-core';
import {
  appendToTiles,
  assembleNote,
  changedHeads,
  checkpointText,
  DirectoryError,
  EMPTY_EDGE,
  EMPTY_MAP_ROOT,
  logNoteKey,
  logSignature,
  originOf,
  parseCheckpointText,
  parseNote,
  readEdge,
  TILE_WIDTH,
  updateMap,
  verifyNote,
  type DirectoryState,
  type NodeSource,
  type Tile,
  type TileEdge,
} from '@keytide/key-directory/verify';
import type { DirectoryStore, LogGrowth, TreeHash } from './directory-store.ts';
import { RelayError } from './errors.ts';

/** Where the tree and the map of a log end: what it takes to add to them. */
export interface LogTip {
  readonly edge: TileEdge;
  /** 32 bytes. */
  readonly mapRoot: Uint8Array;
}

/** The tip of a log without entries. */
export const EMPTY_TIP: LogTip = { edge: EMPTY_EDGE, mapRoot: EMPTY_MAP_ROOT };

/** What `growLog` works with. The signer is the relay's. */
export interface GrowthTools {
  readonly store: Pick<DirectoryStore, 'readCheckpoint' | 'readTile' | 'readWays'>;
  readonly primitives: Primitives;
  readonly signer: Signer;
}

/** The log before and after one more entry. */
export interface LogStep {
  readonly before: DirectoryState | null;
  /** Of `before`. */
  readonly tip: LogTip;
  readonly wire: Uint8Array;
  readonly after: DirectoryState;
}

/**
 * What one more entry adds, signed, and the new tip. Writes nothing. Reads the ways to the heads that changed,
 * in one question; the nodes of older roots stay, so a log that has grown meanwhile does no harm.
 */
export async function growLog(
  { store, primitives, signer }: GrowthTools,
  { before, tip, wire, after }: LogStep,
): Promise<{ growth: LogGrowth; tip: LogTip }> {
  const { edge, tiles } = appendToTiles(primitives, tip.edge, [leafHash(primitives, wire)]);
  const items = changedHeads(primitives, before, after);
  const keys = items.map(({ key }) => key);
  const source = await waysOf(store, after.org, tip.mapRoot, keys);
  const { root: mapRoot, added: nodes } = await updateMap(primitives, source, tip.mapRoot, items);
  const checkpoint = { origin: originOf(after.org), size: after.size, root: after.root, mapRoot };
  const signature = logSignature(primitives, signer, checkpoint);
  const note = assembleNote(checkpointText(checkpoint), [signature]);
  return { growth: { hashes: tiles.map(newestOf), nodes, checkpoint: note }, tip: { edge, mapRoot } };
}

/** The tip of a log when it had `size` entries, from what is stored. @throws RelayError `database-failed` when it is not */
export async function readTip(store: GrowthTools['store'], org: OrgId, size: number): Promise<LogTip> {
  const checkpoint = await store.readCheckpoint(org, size);
  const mapRoot = checkpoint === null ? null : mapRootOf(checkpoint.note);
  if (mapRoot === null) throw new RelayError('database-failed', 'a log without its checkpoint');
  const edge = await readEdge({ readTile: (tile) => store.readTile(org, tile) }, size);
  return { edge, mapRoot };
}

/**
 * The root (32 bytes) that this relay's own key has signed for a log of `size` entries: it judged them all by then.
 * `null` where there is no such signature, as after a change of the key.
 */
export async function signedRoot(
  { store, primitives, signer }: GrowthTools,
  org: OrgId,
  size: number,
): Promise<Uint8Array | null> {
  const stored = await store.readCheckpoint(org, size);
  if (stored === null) return null;
  try {
    const note = parseNote(stored.note);
    const origin = originOf(org);
    const isOurs = verifyNote(primitives, note, [logNoteKey(origin, signer.publicKey)]).verified.length > 0;
    const checkpoint = parseCheckpointText(note.text);
    return isOurs && checkpoint.origin === origin && checkpoint.size === size ? checkpoint.root : null;
  } catch (error) {
    if (error instanceof DirectoryError) return null;
    throw error;
  }
}

/** The map root that a checkpoint of ours names. */
export function mapRootOf(note: Uint8Array): Uint8Array | null {
  return parseCheckpointText(parseNote(note).text).mapRoot;
}

/** The nodes on the ways to keys, to be read one by one. */
export async function waysOf(
  store: Pick<DirectoryStore, 'readWays'>,
  org: OrgId,
  root: Uint8Array,
  keys: readonly Uint8Array[],
): Promise<NodeSource> {
  const read = await store.readWays(org, root, keys);
  const nodes = new Map(read.map(({ hash, bytes }) => [toHex(hash), bytes]));
  return { readNode: (hash) => Promise.resolve(nodes.get(toHex(hash)) ?? null) };
}

/** One entry adds one hash to each level that it reaches: the last one of the tile there. */
function newestOf({ level, index, hashes }: Tile): TreeHash {
  const width = hashes.length / HASH_BYTES;
  return { level, place: index * TILE_WIDTH + width - 1, hash: hashes.slice(-HASH_BYTES) };
}

const HASH_BYTES = 32;
