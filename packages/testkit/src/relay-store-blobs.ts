import assert from 'node:assert/strict';
import { deviceId, memberId, toHex } from '@keytide/crypto-core';
import type { BlobStart } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { NOW_MS, placeOf, type Place } from './relay-store-fixtures.ts';

function start({ org, random }: Pick<Place, 'org' | 'random'>, changes: Partial<BlobStart> = {}): BlobStart {
  const device = deviceId(random(32));
  const id = toHex(random(32));
  const member = memberId(random(16));
  const most = { mostBytes: 1e9, mostBytesOfMember: 2 ** 41 };
  return { org, id, device, member, sizeBytes: 100, nowMs: NOW_MS, ...most, ...changes };
}

/** Which blobs there are, how far they have come, and what they count for. */
export const blobChecks: readonly StoreCheck[] = [
  {
    name: 'keeps how far an upload has come, also over a restart',
    async check({ store, reopen }) {
      const one = start(placeOf('uploads'), { sizeBytes: 2 ** 40, mostBytes: 2 ** 41 });
      assert.equal(await store.readBlob(one), null);
      assert.equal(await store.startBlob(one), 'started');
      const { device, sizeBytes } = one;
      const stored = { device, sizeBytes, receivedBytes: 0, touchedMs: NOW_MS };
      assert.deepEqual(await store.readBlob(one), stored);
      const grow = (from: number, to: number) => store.growBlob(one, { from, to, nowMs: NOW_MS + to });
      assert.equal(await grow(1, 5), false);
      assert.equal(await grow(0, 5), true);
      assert.equal(await grow(0, 5), false);
      assert.equal(await grow(5, sizeBytes + 1), false);
      assert.equal(await store.startBlob({ ...one, nowMs: NOW_MS + 9 }), 'started');
      await store.close();
      const again = await reopen();
      assert.deepEqual(await again.readBlob(one), { ...stored, receivedBytes: 5 });
      return again;
    },
  },
  {
    name: 'gives an id to one device and one size',
    async check({ store }) {
      const place = placeOf('taken blobs');
      const one = start(place);
      assert.equal(await store.startBlob(one), 'started');
      assert.equal(await store.startBlob({ ...one, sizeBytes: 101 }), 'blob-taken');
      assert.equal(await store.startBlob(start(place, { id: one.id })), 'blob-taken');
      assert.equal(await store.startBlob(start(placeOf('elsewhere'), { id: one.id })), 'started');
      const rivals = [1, 2, 3].map(() => start(place));
      const id = toHex(place.random(32));
      const outcomes = await Promise.all(rivals.map((rival) => store.startBlob({ ...rival, id })));
      assert.deepEqual(outcomes.toSorted(), ['blob-taken', 'blob-taken', 'started']);
    },
  },
  {
    name: 'counts what blobs are to have, 64 KiB at least, until they are forgotten',
    async check({ store }) {
      const place = placeOf('blob quota');
      const most = { mostBytes: 300_000 };
      const small = start(place, { ...most, sizeBytes: 1 });
      const large = start(place, { ...most, sizeBytes: 200_000 });
      assert.equal(await store.startBlob(small), 'started');
      assert.equal(await store.startBlob(large), 'started');
      assert.equal(await store.startBlob(large), 'started');
      assert.equal(await store.startBlob(start(place, { ...most, sizeBytes: 1 })), 'quota-exceeded');
      assert.equal(await store.startBlob(start(placeOf('other quota'), most)), 'started');
      await store.forgetBlob(large);
      await store.forgetBlob(large);
      assert.equal(await store.readBlob(large), null);
      assert.ok((await store.listBlobOrgs()).includes(place.org));
      assert.equal(await store.startBlob(start(place, { ...most, sizeBytes: 234_464 })), 'started');
      assert.equal(await store.startBlob(start(place, { ...most, sizeBytes: 1 })), 'quota-exceeded');
      await store.forgetBlob(small);
      assert.ok((await store.listBlobOrgs()).includes(place.org));
    },
  },
  {
    name: 'gives a member its share and no more, over all its devices, until blobs are forgotten',
    async check({ store }) {
      const place = placeOf('blob share');
      const member = memberId(place.random(16));
      const mine = (sizeBytes: number) => start(place, { member, sizeBytes, mostBytesOfMember: 200_000 });
      const large = mine(134_464);
      assert.equal(await store.startBlob(large), 'started');
      assert.equal(await store.startBlob(mine(65_537)), 'quota-exceeded');
      assert.equal(await store.startBlob(mine(1)), 'started');
      assert.equal(await store.startBlob(mine(1)), 'quota-exceeded');
      assert.equal(await store.startBlob(large), 'started');
      const others = start(place, { sizeBytes: 200_000, mostBytesOfMember: 200_000 });
      assert.equal(await store.startBlob(others), 'started');
      const elsewhere = { ...mine(200_000), org: placeOf('blob share elsewhere').org };
      assert.equal(await store.startBlob(elsewhere), 'started');
      // Whole or not, it is the member's.
      await store.growBlob(large, { from: 0, to: large.sizeBytes, nowMs: NOW_MS });
      assert.equal(await store.startBlob(mine(1)), 'quota-exceeded');
      for (const blob of [large, large, others]) await store.forgetBlob(blob);
      assert.equal(await store.startBlob(mine(134_465)), 'quota-exceeded');
      assert.equal(await store.startBlob(mine(134_464)), 'started');
    },
  },
  {
    name: 'lists whole blobs by when they became whole, others by when they were begun, however far they are',
    async check({ store }) {
      const place = placeOf('old blobs');
      const [whole, half, fresh] = [start(place), start(place), start(place)];
      await store.startBlob(whole);
      await store.startBlob({ ...half, nowMs: NOW_MS + 20 });
      await store.startBlob({ ...fresh, nowMs: NOW_MS + 30 });
      await store.growBlob(whole, { from: 0, to: 100, nowMs: NOW_MS + 10 });
      await store.growBlob(half, { from: 0, to: 99, nowMs: NOW_MS + 50 });
      const old = async (wholeMs: number, idleMs: number): Promise<string[]> => {
        const before = { wholeBeforeMs: NOW_MS + wholeMs, begunBeforeMs: NOW_MS + idleMs };
        return (await store.listOldBlobs(place.org, before)).map(({ id }) => id);
      };
      assert.deepEqual(await old(10, 20), []);
      assert.deepEqual(await old(11, 20), [whole.id]);
      assert.deepEqual(await old(10, 21), [half.id]);
      assert.deepEqual(await old(99, 99), [whole.id, half.id, fresh.id]);
      const elsewhere = { wholeBeforeMs: NOW_MS + 99, begunBeforeMs: NOW_MS + 99 };
      assert.deepEqual(await store.listOldBlobs(placeOf('no blobs').org, elsewhere), []);
    },
  },
  {
    name: 'sums whole blobs by when they became whole, and of one organisation alone',
    async check({ store }) {
      const place = placeOf('held blobs');
      const elsewhere = placeOf('held elsewhere');
      const whole = [start(place), start(place, { sizeBytes: 2 ** 33 }), start(elsewhere)];
      for (const [i, blob] of whole.entries()) {
        await store.startBlob({ ...blob, mostBytes: 2 ** 40 });
        await store.growBlob(blob, { from: 0, to: blob.sizeBytes, nowMs: NOW_MS + i });
      }
      const half = start(place, { mostBytes: 2 ** 40 });
      assert.equal(await store.startBlob(half), 'started');
      const sum = async (from: number, before: number): Promise<number[]> => {
        const time = { fromMs: NOW_MS + from, beforeMs: NOW_MS + before };
        const { count, sizeBytes } = await store.sumWhole(place.org, time);
        return [count, sizeBytes];
      };
      assert.deepEqual(await sum(0, 9), [2, 100 + 2 ** 33]);
      assert.deepEqual(
        [await sum(0, 1), await sum(1, 2), await sum(2, 9)],
        [
          [1, 100],
          [1, 2 ** 33],
          [0, 0],
        ],
      );
      await store.noteHeld(place.org, 2 ** 33);
      await store.noteHeld(placeOf('no blobs').org, 5);
    },
  },
];
