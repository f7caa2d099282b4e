import assert from 'node:assert/strict';
import { deviceId, type DeviceId } from '@keytide/crypto-core';
import type { RelayStore, StoredUnlockShare } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, announcement, NOW_MS, placeOf, startedPlace, type Place } from './relay-store-fixtures.ts';

const DAY_MS = 86_400_000;
const LEASE_MS = 2 * DAY_MS;

type NewShare = Parameters<RelayStore['putUnlockShare']>[0];

function shareOf({ org, random }: Place, changes: Partial<NewShare> = {}): NewShare {
  const [id, share, verifier] = [random(32), random(32), random(32)];
  const time = { nowMs: NOW_MS, logSize: 1, expiresMs: NOW_MS + LEASE_MS };
  return { org, device: deviceId(random(32)), id, share, verifier, ...time, ...changes };
}

async function end(store: RelayStore, place: Place, device: DeviceId): Promise<void> {
  const entry = addition(place, 1, place.random(9));
  await store.appendLogEntry({ ...entry, ended: [{ kind: 'device', id: device }] });
}

/** Receipts of wipes and unlock shares. */
export const wipeChecks: readonly StoreCheck[] = [
  {
    name: 'deletes the boxes and the share of a device with the entry that ends it, and no others',
    async check({ store }) {
      const place = await startedPlace(store, 'ended boxes');
      const { org, group, random } = place;
      const [second, third] = [announcement(place, 2), announcement(place, 3)];
      const [gone, stays] = second.boxes as [(typeof second.boxes)[0], (typeof second.boxes)[0]];
      await store.announceEpoch(second);
      await store.announceEpoch({ ...third, boxes: [{ ...gone, box: random(99) }, ...third.boxes] });
      const elsewhere = await startedPlace(store, 'ended elsewhere');
      const same = { ...announcement(elsewhere, 2), boxes: [gone] };
      await store.announceEpoch(same);
      const share = shareOf(place, { device: gone.device });
      const other = shareOf(place, { device: stays.device });
      for (const each of [share, other]) await store.putUnlockShare(each);
      const has = async (where: Place, epoch: number, device: DeviceId): Promise<boolean> =>
        (await store.readBox({ org: where.org, group: where.group, epoch, device })) !== null;

      await assert.rejects(
        store.appendLogEntry({
          ...addition(place, 9, random(9)),
          ended: [{ kind: 'device', id: gone.device }],
        }),
        { code: 'head-moved' },
      );
      assert.deepEqual([await has(place, 2, gone.device), await has(place, 3, gone.device)], [true, true]);
      await end(store, place, gone.device);
      // Of a request that was let in before.
      assert.equal(await store.putUnlockShare(share), null);
      assert.deepEqual([await has(place, 2, gone.device), await has(place, 3, gone.device)], [false, false]);
      assert.equal(await store.takeUnlockAttempt({ org, id: share.id, nowMs: NOW_MS }), null);
      assert.equal(await has(place, 2, stays.device), true);
      assert.equal(await has(elsewhere, 2, gone.device), true);
      assert.notEqual(await store.takeUnlockAttempt({ org, id: other.id, nowMs: NOW_MS }), null);
      assert.notEqual(await store.readBox({ org, group, epoch: 3, device: third.boxes[0]!.device }), null);
    },
  },
  {
    name: 'keeps one receipt a device, in pages by device',
    async check({ store }) {
      const { org, random } = await startedPlace(store, 'receipts');
      const receipts = Array.from({ length: 1_003 }, () => ({
        org,
        device: deviceId(random(32)),
        wire: random(180),
      }));
      for (const receipt of receipts) assert.equal(await store.putWipeReceipt(receipt), true);
      const [first] = receipts as [(typeof receipts)[0]];
      assert.equal(await store.putWipeReceipt(first), true);
      assert.equal(await store.putWipeReceipt({ ...first, wire: random(180) }), false);
      const sorted = receipts.toSorted((a, b) => (a.device < b.device ? -1 : 1));
      const page = await store.listWipeReceipts(org, null);
      assert.deepEqual(page, sorted.slice(0, 1000));
      assert.deepEqual(await store.listWipeReceipts(org, page[999]!.device), sorted.slice(1000));
      assert.deepEqual(await store.listWipeReceipts(placeOf('no receipts').org, null), []);
    },
  },
  {
    name: 'gives ten attempts at a share, however many come at once; right ones between them give none back',
    async check({ store }) {
      const place = await startedPlace(store, 'attempts');
      const share = shareOf(place);
      const { org, id, device } = share;
      assert.equal(await store.putUnlockShare(share), 0);
      const take = () => store.takeUnlockAttempt({ org, id, nowMs: NOW_MS });
      const { share: secret, verifier } = share;
      assert.deepEqual(await take(), { share: secret, verifier, left: 9 });
      await store.returnUnlockAttempt(org, id);
      await store.returnUnlockAttempt(org, id);
      const early = await Promise.all([take(), take(), take()]);
      assert.deepEqual(early.map((chance) => chance?.left).toSorted(), [7, 8, 9]);
      // The last one was right: the wrong ones before it stay wrong.
      await store.returnUnlockAttempt(org, id);
      assert.equal((await take())?.left, 7);
      // Renewing, or keeping the same again, gives nobody new attempts.
      assert.equal(await store.putUnlockShare(share), 3);
      const expiresMs = NOW_MS + 2 * LEASE_MS;
      const renewal = { org, device, id, nowMs: NOW_MS, expiresMs };
      assert.equal(await store.renewUnlockShare(renewal), 3);
      const rest = await Promise.all(Array.from({ length: 12 }, take));
      assert.equal(rest.filter((chance) => chance !== null).length, 7);
      assert.equal(await store.renewUnlockShare(renewal), null);
      await store.forgetExpired(NOW_MS);
      assert.equal(await store.deleteUnlockShare(org, device), false);
      // Another share of the device begins anew, and the one before is gone.
      const next = shareOf(place, { device });
      await store.putUnlockShare(next);
      assert.equal((await store.takeUnlockAttempt({ org, id: next.id, nowMs: NOW_MS }))?.left, 9);
      assert.equal(await take(), null);
      // So does the same id with another proof: another passphrase.
      assert.equal(await store.putUnlockShare({ ...next, verifier: place.random(32) }), 0);
      assert.equal((await store.takeUnlockAttempt({ org, id: next.id, nowMs: NOW_MS }))?.left, 9);
      // Whoever uses up the attempts of the one before ends none of its device's newer ones.
      await store.deleteUsedUpShare(org, id);
      await store.deleteUsedUpShare(placeOf('other').org, next.id);
      assert.equal((await store.takeUnlockAttempt({ org, id: next.id, nowMs: NOW_MS }))?.left, 8);
      await store.deleteUsedUpShare(org, next.id);
      assert.equal(await store.deleteUnlockShare(org, device), false);
    },
  },
  {
    name: 'counts wrong attempts for one lease from the first on, and tells whose shares have any',
    async check({ store }) {
      const place = await startedPlace(store, 'attempts of a lease');
      const share = shareOf(place);
      const { org, id, device } = share;
      const other = shareOf(place);
      await store.putUnlockShare(share);
      await store.putUnlockShare(other);
      const take = async (nowMs: number) => (await store.takeUnlockAttempt({ org, id, nowMs }))?.left;
      const renew = (nowMs: number) =>
        store.renewUnlockShare({ org, device, id, nowMs, expiresMs: nowMs + LEASE_MS });
      const listed = (nowMs: number) => store.listUnlockAttempts(org, nowMs);
      assert.deepEqual(await listed(NOW_MS), []);
      const first = NOW_MS + 1_000;
      assert.equal(await take(first), 9);
      assert.equal(await take(first + LEASE_MS / 2), 8);
      assert.deepEqual(await listed(first + LEASE_MS / 2), [{ device, wrong: 2 }]);
      assert.deepEqual(await store.listUnlockAttempts(placeOf('other').org, first), []);
      // The second one does not put off the end of the first one's lease, and neither does the device's own word.
      assert.equal(await renew(first + LEASE_MS / 2), 2);
      assert.equal(await renew(first + LEASE_MS - 1), 2);
      assert.equal(await take(first + LEASE_MS - 1), 7);
      assert.equal(await renew(first + LEASE_MS), 0);
      assert.deepEqual(await listed(first + LEASE_MS), []);
      assert.equal(await take(first + LEASE_MS), 9);
      assert.equal(await take(first + 2 * LEASE_MS - 2), 8);
      // The most first.
      await store.renewUnlockShare({ ...other, nowMs: NOW_MS, expiresMs: first + 3 * LEASE_MS });
      const one = { org, id: other.id, nowMs: first + LEASE_MS + 9 };
      for (let i = 0; i < 3; i += 1) await store.takeUnlockAttempt(one);
      assert.deepEqual(await listed(first + LEASE_MS + 9), [
        { device: other.device, wrong: 3 },
        { device, wrong: 2 },
      ]);
    },
  },
  {
    name: 'goes on counting wrong attempts for a day where the lease is made shorter',
    async check({ store }) {
      const { org, id, device, ...share } = shareOf(await startedPlace(store, 'a shorter lease'));
      await store.putUnlockShare({ org, id, device, ...share });
      const renew = (nowMs: number, leaseMs: number) =>
        store.renewUnlockShare({ org, device, id, nowMs, expiresMs: nowMs + leaseMs });
      assert.equal((await store.takeUnlockAttempt({ org, id, nowMs: NOW_MS }))?.left, 9);
      assert.equal(await renew(NOW_MS, 60_000), 1);
      assert.equal(await renew(NOW_MS + 59_999, 60_000), 1);
      assert.equal(await renew(NOW_MS + 100_000, DAY_MS), 1);
      assert.equal(await renew(NOW_MS + DAY_MS - 1, 60_000), 1);
      assert.equal(await renew(NOW_MS + DAY_MS, 60_000), 0);
    },
  },
  {
    name: 'gives a share until its time, and deletes it then',
    async check({ store }) {
      const place = await startedPlace(store, 'lease');
      const share = shareOf(place);
      const { org, id, device, expiresMs } = share;
      await store.putUnlockShare(share);
      assert.notEqual(await store.takeUnlockAttempt({ org, id, nowMs: expiresMs - 1 }), null);
      assert.equal(await store.takeUnlockAttempt({ org, id, nowMs: expiresMs }), null);
      assert.equal(await store.takeUnlockAttempt({ org: placeOf('other').org, id, nowMs: NOW_MS }), null);
      const renew = async (nowMs: number, changes: Partial<StoredUnlockShare> = {}) =>
        (await store.renewUnlockShare({
          org,
          device,
          id,
          nowMs,
          ...changes,
          expiresMs: nowMs + LEASE_MS,
        })) !== null;
      assert.equal(await renew(NOW_MS, { id: place.random(32) }), false);
      assert.equal(await renew(NOW_MS, { device: deviceId(place.random(32)) }), false);
      assert.equal(await renew(expiresMs), false);
      assert.equal(await renew(expiresMs - 1), true);
      assert.notEqual(await store.takeUnlockAttempt({ org, id, nowMs: expiresMs }), null);
      await store.forgetExpired(expiresMs + LEASE_MS - 2);
      assert.notEqual(await store.takeUnlockAttempt({ org, id, nowMs: expiresMs }), null);
      await store.forgetExpired(expiresMs + LEASE_MS - 1);
      assert.equal(await store.takeUnlockAttempt({ org, id, nowMs: expiresMs }), null);
      assert.equal(await store.deleteUnlockShare(org, device), false);
    },
  },
];
