import assert from 'node:assert/strict';
import { deviceId } from '@keytide/crypto-core';
import type { PreKeyPut, RelayStore } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, NOW_MS, placeOf, startedPlace, type Place } from './relay-store-fixtures.ts';

const DAY_MS = 86_400_000;

function preKeys(
  { org, random }: Pick<Place, 'org' | 'random'>,
  changes: Partial<PreKeyPut> = {},
): PreKeyPut {
  const oneTime = [random(1800), random(1800)];
  const what = { bundle: random(1900), oneTime, replacesAll: false, expiresMs: NOW_MS + DAY_MS };
  return { org, device: deviceId(random(32)), ...what, most: 5, ...changes };
}

const take = (store: RelayStore, { org, device }: PreKeyPut, nowMs = NOW_MS) =>
  store.takePreKeys(org, device, nowMs);
const count = (store: RelayStore, { org, device }: PreKeyPut, nowMs = NOW_MS) =>
  store.countPreKeys(org, device, nowMs);

/** Pre-keys that devices have the relay hand out. */
export const preKeyChecks: readonly StoreCheck[] = [
  {
    name: 'hands out the newest bundle with each pair of pre-keys once, the oldest first, over a restart',
    async check({ store, reopen }) {
      const place = placeOf('pre-keys');
      const first = preKeys(place);
      const other = preKeys(place);
      assert.equal(await count(store, first), null);
      assert.equal(await take(store, first), null);
      for (const put of [first, other]) assert.equal(await store.putPreKeys(put), true);
      assert.deepEqual(await take(store, first), { bundle: first.bundle, oneTime: first.oneTime[0] });
      const next = preKeys(place, { device: first.device });
      assert.equal(await store.putPreKeys(next), true);
      assert.equal(await count(store, first), 3);
      await store.close();
      const again = await reopen();
      const rest = [first.oneTime[1], ...next.oneTime, null, null];
      for (const oneTime of rest)
        assert.deepEqual(await take(again, first), { bundle: next.bundle, oneTime });
      assert.equal(await count(again, first), 0);
      assert.equal(await count(again, other), 2);
      return again;
    },
  },
  {
    name: 'gives no two who ask at once the same pair of pre-keys',
    async check({ store }) {
      const put = preKeys(placeOf('pre-keys at once'));
      await store.putPreKeys(put);
      const taken = await Promise.all(Array.from({ length: 6 }, () => take(store, put)));
      const pairs = taken.flatMap((each) => each?.oneTime ?? []);
      assert.equal(new Set(pairs.map(String)).size, pairs.length);
      assert.ok(taken.every((each) => each !== null));
    },
  },
  {
    name: 'drops the pairs that are left when it is told to, and takes no more than fit',
    async check({ store }) {
      const place = placeOf('pre-keys replaced');
      const put = preKeys(place);
      await store.putPreKeys(put);
      const more = preKeys(place, {
        device: put.device,
        oneTime: [1, 2, 3, 4].map(() => place.random(1800)),
      });
      assert.equal(await store.putPreKeys(more), false);
      assert.deepEqual(await take(store, put), { bundle: put.bundle, oneTime: put.oneTime[0] });
      assert.equal(await store.putPreKeys({ ...more, replacesAll: true }), true);
      assert.equal(await count(store, put), 4);
      assert.deepEqual(await take(store, put), { bundle: more.bundle, oneTime: more.oneTime[0] });
    },
  },
  {
    name: 'hands out no bundle whose time is over, and forgets it with its pairs',
    async check({ store }) {
      const put = preKeys(placeOf('pre-keys expiry'));
      await store.putPreKeys(put);
      assert.equal(await count(store, put, NOW_MS + DAY_MS - 1), 2);
      assert.equal(await count(store, put, NOW_MS + DAY_MS), null);
      assert.equal(await take(store, put, NOW_MS + DAY_MS), null);
      assert.equal(await count(store, put), 2);
      await store.forgetExpired(NOW_MS + DAY_MS + 1);
      assert.equal(await take(store, put), null);
      await store.putPreKeys({ ...put, oneTime: [] });
      assert.equal(await count(store, put), 0);
    },
  },
  {
    name: 'forgets the pre-keys of a device that loses its place, and of no other',
    async check({ store }) {
      const place = await startedPlace(store, 'pre-keys ended');
      const put = preKeys(place);
      const other = preKeys(place);
      for (const each of [put, other]) await store.putPreKeys(each);
      const ended = [{ kind: 'device', id: put.device }] as const;
      await store.appendLogEntry({ ...addition(place, 1, place.random(50)), ended });
      assert.equal(await take(store, put), null);
      await store.putPreKeys({ ...put, oneTime: [] });
      assert.equal(await count(store, put), 0);
      assert.equal(await count(store, other), 2);
    },
  },
];
