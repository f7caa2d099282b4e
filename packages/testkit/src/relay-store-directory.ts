import assert from 'node:assert/strict';
import { compareBytes, concatBytes, deviceId, sorted, toHex } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import {
  EMPTY_MAP_ROOT,
  proveLookup,
  updateMap,
  verifyLookup,
  type MapItem,
} from '@keytide/key-directory/verify';
import type { LogAddition, RelayStore, StoredCosignature, TreeHash } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, growthAt, NOW_MS, placeOf, startedPlace, type Place } from './relay-store-fixtures.ts';

/** What membership logs are proved by: tiles, maps, checkpoints and cosignatures. */
export const directoryChecks: readonly StoreCheck[] = [
  {
    name: 'cuts tiles and bundles of any width out of what was added, and none beyond the end',
    async check({ store }) {
      const place = placeOf('tiles');
      const { org } = place;
      const added = await fill(store, place, 300);
      const leaves = added.map(({ growth }) => (growth.hashes[0] as TreeHash).hash);
      for (const [index, width] of [
        [0, 1],
        [0, 255],
        [0, 256],
        [1, 1],
        [1, 44],
      ] as const) {
        const [from, to] = [index * 256, index * 256 + width];
        const tile = await store.readTile(org, { level: 0, index, width });
        assert.deepEqual(tile, concatBytes(...leaves.slice(from, to)));
        const wires = added.slice(from, to).map(({ wire }) => wire);
        assert.deepEqual(await store.readBundle(org, { index, width }), wires);
      }
      assert.deepEqual(
        await store.readTile(org, { level: 1, index: 0, width: 1 }),
        added[255]?.growth.hashes[1]?.hash,
      );
      for (const [index, width] of [
        [1, 45],
        [1, 256],
        [2, 1],
        [1e12, 1],
      ] as const) {
        assert.equal(await store.readTile(org, { level: 0, index, width }), null);
        assert.equal(await store.readBundle(org, { index, width }), null);
      }
      assert.equal(await store.readTile(org, { level: 1, index: 0, width: 2 }), null);
      assert.equal(await store.readTile(placeOf('no tiles').org, { level: 0, index: 0, width: 1 }), null);
    },
  },
  {
    name: 'keeps the checkpoint of every size, and the entry that lost the head leaves nothing behind',
    async check({ store }) {
      const place = placeOf('checkpoints');
      const { org, random } = place;
      assert.equal(await store.readCheckpoint(org, 'newest'), null);
      const added = await fill(store, place, 3);
      const late = addition(place, 2, random(50));
      await assert.rejects(store.appendLogEntry(late), { code: 'head-moved' });
      const [node] = late.growth.nodes;
      assert.deepEqual(await store.readWays(org, node?.hash as Uint8Array, [random(32)]), []);
      for (const [i, { growth }] of added.entries()) {
        const expected = { size: i + 1, note: growth.checkpoint, cosignatures: [] };
        assert.deepEqual(await store.readCheckpoint(org, i + 1), expected);
        if (i === 2) assert.deepEqual(await store.readCheckpoint(org, 'newest'), expected);
      }
      assert.equal(await store.readCheckpoint(org, 4), null);
      assert.equal(await store.readCheckpoint(org, 'witnessed'), null);
    },
  },
  {
    name: 'adds the entry and all that proves it together, once, under rivals',
    async check({ store }) {
      const place = await startedPlace(store, 'rival growth');
      const rivals = Array.from({ length: 6 }, () => addition(place, 1, place.random(60)));
      const results = await Promise.allSettled(rivals.map((rival) => store.appendLogEntry(rival)));
      const won = rivals.filter((_, i) => results[i]?.status === 'fulfilled');
      assert.equal(won.length, 1);
      const { growth, wire } = won[0] as LogAddition;
      assert.deepEqual((await store.readCheckpoint(place.org, 'newest'))?.note, growth.checkpoint);
      assert.deepEqual((await store.readLog(place.org, 1))?.entries, [wire]);
      const tile = await store.readTile(place.org, { level: 0, index: 0, width: 2 });
      assert.deepEqual(tile?.slice(32), growth.hashes[0]?.hash);
      for (const rival of rivals) {
        const { hash } = rival.growth.nodes[0] as { hash: Uint8Array };
        assert.equal((await store.readWays(place.org, hash, [hash])).length, rival === won[0] ? 1 : 0);
      }
    },
  },
  {
    name: 'reads the ways to keys of a map, present or not, under every root it had',
    async check({ store }) {
      const place = placeOf('ways');
      const { org, random } = place;
      const roots: Uint8Array[] = [];
      const items: MapItem[] = [];
      let root = EMPTY_MAP_ROOT;
      for (let index = 0; index < 12; index += 1) {
        const fresh = Array.from({ length: 1 + index * 2 }, () => ({ key: random(32), leaf: random(40) }));
        const source = await sourceOf(
          store,
          place,
          root,
          fresh.map(({ key }) => key),
        );
        const update = await updateMap(nodePrimitives, source, root, fresh);
        ({ root } = update);
        await add(store, {
          ...addition(place, index, random(9)),
          growth: { ...growthAt(place, index), nodes: update.added },
        });
        roots.push(root);
        items.push(...fresh);
      }
      for (const { key, leaf } of items) assert.deepEqual(await look(store, place, root, key), leaf);
      assert.equal(await look(store, place, root, random(32)), null);
      const [first] = items;
      for (const older of roots)
        assert.deepEqual(await look(store, place, older, first?.key as Uint8Array), first?.leaf);
      assert.equal(await look(store, place, roots[0] as Uint8Array, items[1]?.key as Uint8Array), null);
      assert.deepEqual(await store.readWays(placeOf('other').org, root, [random(32)]), []);
      assert.deepEqual(await store.readWays(org, root, []), []);
    },
  },
  {
    name: 'keeps the cosignatures of the newest 64 checkpoints that have any, and the last one of each device',
    async check({ store }) {
      const place = placeOf('cosigned');
      const { org, random } = place;
      const added = await fill(store, place, 70);
      const devices = [deviceId(random(32)), deviceId(random(32))] as const;
      const by = (of: 0 | 1, timeSeconds: number): StoredCosignature => {
        return { device: devices[of], keyId: 0xffff_ffff, timeSeconds, signature: random(72) };
      };
      const [old, mid, fresh] = [by(0, 10), by(0, 11), by(0, 12)];
      for (const one of [old, fresh, mid]) await store.putCosignature(org, 1, one);
      const other = by(1, 13);
      await store.putCosignature(org, 1, other);
      const witnessed = await store.readCheckpoint(org, 'witnessed');
      assert.deepEqual(witnessed, {
        size: 1,
        note: added[0]?.growth.checkpoint,
        cosignatures: [other, fresh],
      });
      assert.deepEqual((await store.readCheckpoint(org, 'newest'))?.cosignatures, []);
      for (let size = 2; size <= 64; size += 1) await store.putCosignature(org, size, by(0, size));
      assert.equal((await store.readCheckpoint(org, 1))?.cosignatures.length, 2);
      await store.putCosignature(org, 70, by(0, 70));
      assert.deepEqual((await store.readCheckpoint(org, 1))?.cosignatures, [other]);
      assert.equal((await store.readCheckpoint(org, 2))?.cosignatures.length, 1);
      assert.equal((await store.readCheckpoint(org, 'witnessed'))?.size, 70);
      assert.deepEqual(
        (await store.readCosigned(org)).map(({ size }) => size),
        [70, 1],
      );
    },
  },
  {
    name: 'hands out 64 cosigned checkpoints at most, the newest',
    async check({ store }) {
      const place = placeOf('cosigned by many');
      const { org, random } = place;
      await fill(store, place, 70);
      for (let size = 1; size <= 70; size += 1) {
        const device = deviceId(random(32));
        const signature = random(72);
        await store.putCosignature(org, size, { device, keyId: 1, timeSeconds: size, signature });
      }
      assert.deepEqual(
        (await store.readCosigned(org)).map(({ size }) => size),
        Array.from({ length: 64 }, (_, i) => 70 - i),
      );
    },
  },
  {
    name: 'hands out the newest checkpoint that each device has cosigned',
    async check({ store }) {
      const place = placeOf('cosigned by each');
      const { org, random } = place;
      const added = await fill(store, place, 6);
      assert.deepEqual(await store.readCosigned(org), []);
      const by = (of: number, size: number): StoredCosignature => {
        const device = deviceId(new Uint8Array(32).fill(of));
        return { device, keyId: 1, timeSeconds: size, signature: random(72) };
      };
      const cosigned: [number, number][] = [
        [1, 2],
        [2, 2],
        [3, 3],
        [1, 6],
        [3, 5],
      ];
      for (const [of, size] of cosigned) await store.putCosignature(org, size, by(of, size));
      const found = await store.readCosigned(org);
      assert.deepEqual(
        found.map(({ size, cosignatures }) => [size, cosignatures.length]),
        [
          [6, 1],
          [5, 1],
          [2, 2],
        ],
      );
      assert.deepEqual(found[0]?.note, added[5]?.growth.checkpoint);
    },
  },
  {
    name: 'hands out as many cosignatures as a note has room for, the newest first',
    async check({ store }) {
      const place = await startedPlace(store, 'many cosigners');
      const { org, random } = place;
      for (let i = 0; i < 110; i += 1)
        await store.putCosignature(org, 1, {
          device: deviceId(random(32)),
          keyId: 1,
          timeSeconds: i,
          signature: random(72),
        });
      const times = (await store.readCheckpoint(org, 1))?.cosignatures.map(({ timeSeconds }) => timeSeconds);
      assert.deepEqual(
        times,
        Array.from({ length: 99 }, (_, i) => 109 - i),
      );
    },
  },
  {
    name: 'still has tiles, maps, checkpoints and cosignatures after a restart',
    async check({ store, reopen }) {
      const place = placeOf('directory restart');
      const { org, random } = place;
      const added = await fill(store, place, 2);
      const cosigned = { device: deviceId(random(32)), keyId: 7, timeSeconds: 8, signature: random(72) };
      await store.putCosignature(org, 2, cosigned);
      await store.close();
      const again = await reopen();
      const { growth } = added[1] as LogAddition;
      const expected = { size: 2, note: growth.checkpoint, cosignatures: [cosigned] };
      assert.deepEqual(await again.readCheckpoint(org, 'witnessed'), expected);
      assert.deepEqual(await again.readTile(org, { level: 0, index: 0, width: 2 }), hashesOf(added));
      const [node] = growth.nodes;
      assert.deepEqual(await again.readWays(org, node?.hash as Uint8Array, [random(32)]), [node]);
      return again;
    },
  },
];

/** Gives a place a log of so many entries; the 256th also adds a hash on level 1. */
async function fill(store: RelayStore, place: Place, entries: number): Promise<LogAddition[]> {
  const added: LogAddition[] = [];
  for (let index = 0; index < entries; index += 1) {
    const one = addition(place, index, place.random(40));
    const above: TreeHash = { level: 1, place: 0, hash: place.random(32) };
    const hashes = index === 255 ? [...one.growth.hashes, above] : one.growth.hashes;
    // A leaf, so that no way goes on from it.
    const nodes = one.growth.nodes.map(({ hash, bytes }) => ({
      hash,
      bytes: concatBytes(Uint8Array.of(0), bytes),
    }));
    added.push({ ...one, growth: { ...one.growth, hashes, nodes } });
    await add(store, added[index] as LogAddition);
  }
  return added;
}

async function add(store: RelayStore, { ended, index, ...genesis }: LogAddition): Promise<void> {
  if (index > 0) return store.appendLogEntry({ ...genesis, index, ended });
  await store.createOrganisation({ ...genesis, nowMs: NOW_MS });
}

function hashesOf(added: readonly LogAddition[]): Uint8Array {
  return concatBytes(...added.map(({ growth }) => (growth.hashes[0] as TreeHash).hash));
}

type Source = Parameters<typeof proveLookup>[1];

async function sourceOf(
  store: RelayStore,
  { org }: Place,
  root: Uint8Array,
  keys: Uint8Array[],
): Promise<Source> {
  const read = sorted(await store.readWays(org, root, keys), (a, b) => compareBytes(a.hash, b.hash));
  const nodes = new Map(read.map(({ hash, bytes }) => [toHex(hash), bytes]));
  assert.equal(nodes.size, read.length, 'no node twice');
  return { readNode: (hash) => Promise.resolve(nodes.get(toHex(hash)) ?? null) };
}

async function look(
  store: RelayStore,
  place: Place,
  root: Uint8Array,
  key: Uint8Array,
): Promise<Uint8Array | null> {
  const proof = await proveLookup(nodePrimitives, await sourceOf(store, place, root, [key]), root, key);
  return verifyLookup(nodePrimitives, root, key, proof);
}
