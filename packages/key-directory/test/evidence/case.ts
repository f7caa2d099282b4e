import { leafHash, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  cosignature,
  deviceNoteKey,
  headsOf,
  logNoteKey,
  logSignature,
  mapRoot,
  originOf,
  replay,
  type DirectoryState,
  type LogCheckpoint,
  type NoteKey,
} from '@keytide/key-directory';
import type { SeededWorld } from '@keytide/testkit';
import { forge } from '../forge.ts';
import { eventfulWorld } from '../history.ts';
import { TileStore } from '../tree/tile-store.ts';

export const world: SeededWorld = eventfulWorld('evidence');
export const { wires } = world;
export const origin: string = originOf(world.org);
export const relay: Signer = primitives.signer(new Uint8Array(32).fill(9));
/** A witness that is nobody's device. */
export const outsider: Signer = primitives.signer(new Uint8Array(32).fill(8));
export const admin: Signer = world.members[0].devices[0].signer;
export const relayKey: NoteKey = logNoteKey(origin, relay.publicKey);
export const outsiderKey: NoteKey = deviceNoteKey(primitives, outsider.publicKey);
export const adminKey: NoteKey = deviceNoteKey(primitives, admin.publicKey);
/** Where the other log parts from the honest one. */
export const FORK_AT: number = wires.length - 3;

/** Another log with the same start, all of whose entries keep the rules. */
export const otherWires: readonly Uint8Array[] = ((): Uint8Array[] => {
  const list = wires.slice(0, FORK_AT);
  for (const role of ['exporter', 'member', 'exporter'] as const) {
    const state = replay(primitives, list);
    const body = { kind: 'role' as const, member: world.members[2]?.id as never, role };
    const place = { index: state.size, previousHash: state.headHash, timeMs: state.timeMs };
    list.push(forge(world, world.members[0].devices[0], body, place));
  }
  return list;
})();

/** The tiles over wires. */
export function tilesOf(list: readonly Uint8Array[]): TileStore {
  const store = new TileStore();
  store.append(
    primitives,
    list.map((wire) => leafHash(primitives, wire)),
  );
  return store;
}

const CHECKPOINTS = new Map<readonly Uint8Array[], Record<number, LogCheckpoint>>();

/** The honest checkpoint of a log at a size. */
export function checkpointAt(list: readonly Uint8Array[], size: number): LogCheckpoint {
  const known = CHECKPOINTS.get(list)?.[size];
  if (known !== undefined) return known;
  const state: DirectoryState = replay(primitives, list.slice(0, size));
  const map = mapRoot(primitives, headsOf(primitives, state));
  const checkpoint = { origin: originOf(state.org), size, root: state.root, mapRoot: map };
  CHECKPOINTS.set(list, { ...CHECKPOINTS.get(list), [size]: checkpoint });
  return checkpoint;
}

/** A note of a checkpoint by the relay and cosigners. */
export function noteBy(checkpoint: LogCheckpoint, ...signers: readonly Signer[]): Uint8Array {
  const signatures = signers.map((signer) =>
    signer === relay
      ? logSignature(primitives, relay, checkpoint)
      : cosignature(primitives, signer, checkpoint, 1_900_000_000),
  );
  return assembleNote(checkpointText(checkpoint), signatures);
}
