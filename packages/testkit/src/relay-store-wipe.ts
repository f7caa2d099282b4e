import assert from 'node:assert/strict';
import { deviceId, type DeviceId } from '@keytide/crypto-core';
import type { RelayStore, StoredUnlockShare } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, announcement, NOW_MS, placeOf, startedPlace, type Place } from './relay-store-fixtures.ts';

const LEASE_MS = 60_000;

function shareOf({ org, random }: Place, changes: Partial<StoredUnlockShare> = {}): StoredUnlockShare {
  const [id, share, verifier] = [random(32), random(32), random(32)];
  return { org, device: deviceId(random(32)), id, share, verifier, expiresMs: NOW_MS + LEASE_MS, ...changes };
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
      await store.announceEpoch(second, NOW_MS);
      await store.announceEpoch({ ...third, boxes: [{ ...gone, box: random(99) }, ...third.boxes] }, NOW_MS);
      const elsewhere = await startedPlace(store, 'ended elsewhere');
      const same = { ...announcement(elsewhere, 2), boxes: [gone] };
      await store.announceEpoch(same, NOW_MS);
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
    name: 'gives ten attempts at a share, however many come at once, until one is right',
    async check({ store }) {
      const place = await startedPlace(store, 'attempts');
      const share = shareOf(place);
      const { org, id } = share;
      await store.putUnlockShare(share);
      const take = () => store.takeUnlockAttempt({ org, id, nowMs: NOW_MS });
      const first = await take();
      const { share: secret, verifier, device } = share;
      assert.deepEqual(first, { share: secret, verifier, left: 9 });
      await store.resetUnlockAttempts(org, id);
      // Renewing, or keeping the same again, gives nobody new attempts.
      const early = await Promise.all([take(), take(), take()]);
      assert.deepEqual(early.map((chance) => chance?.left).toSorted(), [7, 8, 9]);
      await store.putUnlockShare(share);
      const expiresMs = NOW_MS + 2 * LEASE_MS;
      assert.equal(await store.renewUnlockShare({ org, device, id, nowMs: NOW_MS, expiresMs }), true);
      const rest = await Promise.all(Array.from({ length: 12 }, take));
      assert.equal(rest.filter((chance) => chance !== null).length, 7);
      assert.equal(await store.renewUnlockShare({ org, device, id, nowMs: NOW_MS, expiresMs }), false);
      await store.forgetExpired(NOW_MS);
      assert.equal(await store.deleteUnlockShare(org, device), false);
      // Another share of the device begins anew, and the one before is gone.
      const next = shareOf(place, { device });
      await store.putUnlockShare(next);
      assert.equal((await store.takeUnlockAttempt({ org, id: next.id, nowMs: NOW_MS }))?.left, 9);
      assert.equal(await take(), null);
      // Whoever uses up the attempts of the one before ends none of its device's newer ones.
      await store.deleteUsedUpShare(org, id);
      await store.deleteUsedUpShare(placeOf('other').org, next.id);
      assert.equal((await store.takeUnlockAttempt({ org, id: next.id, nowMs: NOW_MS }))?.left, 8);
      await store.deleteUsedUpShare(org, next.id);
      assert.equal(await store.deleteUnlockShare(org, device), false);
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
      const renew = (nowMs: number, changes: Partial<StoredUnlockShare> = {}) =>
        store.renewUnlockShare({ org, device, id, nowMs, ...changes, expiresMs: nowMs + LEASE_MS });
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
