import {
  EMPTY_FRONTIER,
  appendLeaf,
  leafHash,
  rootOf,
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import {
  appendToTiles,
  assembleNote,
  checkpointText,
  DirectoryError,
  EMPTY_EDGE,
  EMPTY_MAP_ROOT,
  headsOf,
  logSignature,
  mapRoot,
  originOf,
  parseTilePath,
  replay,
  type DirectoryState,
} from '@keytide/key-directory/verify';

/** A membership log as whoever has the relay's key can sign it: true or not, by the rules or not. */
export interface SignedLog {
  /** The checkpoint, a note signed by the relay's key. */
  readonly note: Uint8Array;
  /** The hash tile that a path of tlog-tiles names; `null` for none. */
  tile(path: string): Uint8Array | null;
}

/**
 * Signs a log. The map is that of the entries up to the first that the rules refuse, unless another root is
 * given (32 bytes).
 */
export function signLog(
  { primitives, signer, org }: { primitives: Primitives; signer: Signer; org: OrgId },
  wires: readonly Uint8Array[],
  map?: Uint8Array,
): SignedLog {
  const leaves = wires.map((wire) => leafHash(primitives, wire));
  const tree = leaves.reduce((frontier, leaf) => appendLeaf(primitives, frontier, leaf), EMPTY_FRONTIER);
  const state = stateOf(primitives, wires);
  const root = map ?? (state === null ? EMPTY_MAP_ROOT : mapRoot(primitives, headsOf(primitives, state)));
  const checkpoint = {
    origin: originOf(org),
    size: wires.length,
    root: rootOf(primitives, tree),
    mapRoot: root,
  };
  const { tiles } = appendToTiles(primitives, EMPTY_EDGE, leaves);
  return {
    note: assembleNote(checkpointText(checkpoint), [logSignature(primitives, signer, checkpoint)]),
    tile(path) {
      const name = parseTilePath(path);
      const found = tiles.find(({ level, index }) => level === name?.level && index === name.index);
      return found?.hashes.slice(0, 32 * (name?.width ?? 0)) ?? null;
    },
  };
}

function stateOf(primitives: Primitives, wires: readonly Uint8Array[]): DirectoryState | null {
  let state: DirectoryState | null = null;
  for (const wire of wires) {
    try {
      state = replay(primitives, [wire], state);
    } catch (error) {
      if (error instanceof DirectoryError) return state;
      throw error;
    }
  }
  return state;
}
