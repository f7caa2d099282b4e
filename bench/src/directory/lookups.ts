import { fromHex, leafHash, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  cosignature,
  deviceKey,
  logSignature,
  parseDeviceHead,
  proveInclusion,
  proveLookup,
  verifyInclusion,
  verifyLookup,
  type DirectoryState,
  type HashSource,
  type LogCheckpoint,
  type MapUpdate,
  type NodeSource,
  type Tile,
} from '@keytide/key-directory';
import { contest, type Contestant, type Samples } from '../contest.ts';
import { loadPeer } from '../peers.ts';
import type { Secrets } from './organisation.ts';

/** What is looked up in. */
export interface LookupWorld {
  readonly state: DirectoryState;
  readonly checkpoint: LogCheckpoint;
  readonly tiles: readonly Tile[];
  readonly map: MapUpdate;
  readonly secrets: Secrets;
  readonly wireAt: (index: number) => Uint8Array;
}

/** Averages over devices at random, in bytes; the times of rounds of `VERIFIED` verifications, in ms. */
export interface MeasuredLookups {
  readonly lookupBytes: number;
  /** With the inclusion proof of the entry that made the head. */
  readonly inclusionBytes: number;
  /** The checkpoint, signed by the relay and cosigned by three devices. */
  readonly noteBytes: number;
  /** The three cosignatures in it. */
  readonly cosignatureBytes: number;
  readonly peerBytes: number;
  readonly verifyMs: Samples;
}

/** A tree of another library over leaf hashes: proves and verifies that one of them is there. */
export interface TreePeer {
  readonly name: string;
  grow(leaves: readonly Uint8Array[]): { readonly root: Uint8Array; prove(index: number): PeerProof };
}

/** A proof of a peer. `sizeBytes` as compact as its content can be written. */
export interface PeerProof {
  readonly sizeBytes: number;
  verify(root: Uint8Array): boolean;
}

const LOOKED_UP = 2_000;
export const VERIFIED = 500;
const ROUNDS = 7;

/** How large what proves a device's current keys is, and how long it takes to believe it. */
export async function measureLookups(world: LookupWorld): Promise<MeasuredLookups> {
  const { state, checkpoint, map } = world;
  const devices = [...state.devices.values()];
  const chosen = Array.from({ length: LOOKED_UP }, () => {
    const device = devices[Math.floor(Math.random() * devices.length)];
    if (device === undefined) throw new Error('no devices');
    return device;
  });
  const [nodes, tiles] = [nodesOf(map), tilesOf(world.tiles)];
  const lookups: { key: Uint8Array; proof: Uint8Array; since: number }[] = [];
  let inclusionBytes = 0;
  for (const { id } of chosen) {
    const key = deviceKey(primitives, id);
    const proof = await proveLookup(primitives, nodes, map.root, key);
    const head = verifyLookup(primitives, map.root, key, proof);
    if (head === null) throw new Error('the lookup denies a device that is there');
    const { since } = parseDeviceHead(head);
    lookups.push({ key, proof, since });
    const inclusion = await proveInclusion(primitives, tiles, since, state.size);
    const leaf = leafHash(primitives, world.wireAt(since));
    verifyInclusion(primitives, { leaf, index: since, size: state.size, root: state.root }, inclusion);
    inclusionBytes += inclusion.length * 32;
  }

  const verified = lookups.slice(0, VERIFIED);
  const ours: Contestant = {
    name: 'keytide',
    async round(time) {
      const heads = await time(() =>
        verified.map(({ key, proof }) => verifyLookup(primitives, map.root, key, proof)),
      );
      if (heads.includes(null)) throw new Error('a head is not there');
    },
  };
  const peer = await theirs(
    world,
    chosen.slice(0, VERIFIED).map(({ addedAt }) => addedAt),
  );
  const verifyMs = await contest([ours, peer.contestant], {
    rounds: ROUNDS,
    warmUps: 2,
    now: () => performance.now(),
  });
  return {
    lookupBytes: average(lookups.map(({ proof }) => proof.length)),
    inclusionBytes: inclusionBytes / LOOKED_UP,
    ...noteSizes(checkpoint, world.secrets),
    peerBytes: peer.bytes,
    verifyMs,
  };
}

function noteSizes(
  checkpoint: LogCheckpoint,
  { relaySeed, adminSeeds }: Secrets,
): { noteBytes: number; cosignatureBytes: number } {
  const signerOf = (seed: string) => primitives.signer(fromHex(seed) as Uint8Array);
  const own = logSignature(primitives, signerOf(relaySeed), checkpoint);
  const seconds = Math.floor(Date.now() / 1000);
  const cosignatures = adminSeeds.map((seed) => cosignature(primitives, signerOf(seed), checkpoint, seconds));
  const text = checkpointText(checkpoint);
  const noteBytes = assembleNote(text, [own, ...cosignatures]).length;
  return { noteBytes, cosignatureBytes: noteBytes - assembleNote(text, [own]).length };
}

async function theirs(
  { state, wireAt }: LookupWorld,
  indexes: readonly number[],
): Promise<{ contestant: Contestant; bytes: number }> {
  const peer = await loadPeer<TreePeer>('merkletreejs');
  const leaves = Array.from({ length: state.size }, (_, index) => leafHash(primitives, wireAt(index)));
  const tree = peer.grow(leaves);
  const proofs = indexes.map((index) => tree.prove(index));
  return {
    bytes: average(proofs.map(({ sizeBytes }) => sizeBytes)),
    contestant: {
      name: peer.name,
      async round(time) {
        const verdicts = await time(() => proofs.map((proof) => proof.verify(tree.root)));
        if (verdicts.includes(false)) throw new Error(`${peer.name} refuses its own proof`);
      },
    },
  };
}

function nodesOf({ added }: MapUpdate): NodeSource {
  const nodes = new Map(added.map(({ hash, bytes }) => [toHex(hash), bytes]));
  return { readNode: (hash) => Promise.resolve(nodes.get(toHex(hash)) ?? null) };
}

function tilesOf(tiles: readonly Tile[]): HashSource {
  const byName = new Map(tiles.map(({ level, index, hashes }) => [`${level}/${index}`, hashes]));
  return { readTile: ({ level, index }) => Promise.resolve(byName.get(`${level}/${index}`) ?? null) };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
