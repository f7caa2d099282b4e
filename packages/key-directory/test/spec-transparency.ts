import { deviceIdOf, leafHash, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  appendToTiles,
  assembleNote,
  checkpointText,
  cosignature,
  deviceKey,
  deviceNoteKey,
  EMPTY_EDGE,
  EMPTY_MAP_ROOT,
  encodeForkProof,
  entryBundle,
  headsOf,
  logNoteKey,
  logSignature,
  mapRoot,
  memberKey,
  noteKeyText,
  organisationKey,
  originOf,
  proveConsistency,
  proveInclusion,
  proveLookup,
  updateMap,
  type LogCheckpoint,
} from '@keytide/key-directory';
import { NodeStore } from './map/node-store.ts';
import { BOB, state, wires } from './spec-log.ts';
import { TileStore } from './tree/tile-store.ts';

/** What docs/spec/transparency.md shows, made from the log of docs/spec/membership-log.md. */
const signer = (seed: number): Signer => primitives.signer(new Uint8Array(32).fill(seed));
const alice = signer(0x01);
const relay = signer(0x0c);
const bobsDevice = deviceIdOf(primitives, signer(0x03).publicKey);
const leaves = Object.values(wires).map((wire) => leafHash(primitives, wire));
const tiles = new TileStore();
tiles.append(primitives, leaves);

const heads = headsOf(primitives, state);
const nodes = new NodeStore();
const root = nodes.keep(await updateMap(primitives, nodes, EMPTY_MAP_ROOT, heads));
const headAt = (key: Uint8Array): Uint8Array =>
  heads.find((item) => item.key.join() === key.join())?.leaf as Uint8Array;

export const checkpoint: LogCheckpoint = {
  origin: originOf(state.org),
  size: state.size,
  root: state.root,
  mapRoot: mapRoot(primitives, heads),
};
const text = checkpointText(checkpoint);
const relayKey = logNoteKey(checkpoint.origin, relay.publicKey);
const twin = { ...checkpoint, root: new Uint8Array(32) };
const signedBy = (one: LogCheckpoint): Uint8Array =>
  assembleNote(checkpointText(one), [logSignature(primitives, relay, one)]);
const cosigned = cosignature(primitives, alice, checkpoint, Date.UTC(2026, 0, 1) / 1000 + 60);

export const examples: Readonly<Record<string, Uint8Array | readonly Uint8Array[]>> = {
  tile: appendToTiles(primitives, EMPTY_EDGE, leaves).tiles[0]?.hashes as Uint8Array,
  bundle: entryBundle([Uint8Array.of(0xaa), Uint8Array.of(0xbb, 0xbb)]),
  inclusion: await proveInclusion(primitives, tiles, 2, 4),
  consistency: await proveConsistency(primitives, tiles, 3, 4),
  'device-key': deviceKey(primitives, bobsDevice),
  'device-head': headAt(deviceKey(primitives, bobsDevice)),
  'member-head': headAt(memberKey(primitives, BOB)),
  'organisation-key': organisationKey(primitives),
  'organisation-head': headAt(organisationKey(primitives)),
  'map-root': root,
  lookup: await proveLookup(primitives, nodes, root, deviceKey(primitives, bobsDevice)),
  'fork-proof': encodeForkProof(primitives, {
    kind: 'checkpoints',
    keys: [relayKey],
    first: signedBy(checkpoint),
    second: signedBy(twin),
    olderRoot: null,
    consistency: [],
  }),
};

export const texts: Readonly<Record<string, string>> = {
  note: new TextDecoder().decode(assembleNote(text, [logSignature(primitives, relay, checkpoint), cosigned])),
  keys: [relayKey, deviceNoteKey(primitives, alice.publicKey)]
    .map((key) => `${noteKeyText(primitives, key)}\n`)
    .join(''),
};
