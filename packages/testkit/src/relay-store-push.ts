import assert from 'node:assert/strict';
import { deviceId, memberId, type DeviceId, type OrgId } from '@keytide/crypto-core';
import type { ClaimedPush, PresenceChange, RelayStore, StoredPushRegistration } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { addition, item, NOW_MS, startedPlace, type Place } from './relay-store-fixtures.ts';

const INTERVAL_MS = 60_000;
const REPEAT_MS = 900_000;
const CLAIM_MS = 60_000;

function registration({ org, random }: Place, changes: Partial<StoredPushRegistration> = {}) {
  return {
    org,
    device: deviceId(random(32)),
    name: random(32),
    keyNumber: 1,
    sealed: random(80),
    ...changes,
  };
}

/** A place, its registrations, and what happens to them; `at` counts from `NOW_MS`. */
async function setUp(store: RelayStore, seed: string, count: number) {
  const place = await startedPlace(store, seed);
  const { org } = place;
  const all = Array.from({ length: count }, () => registration(place));
  for (const one of all) await store.putPushRegistration(one);
  const times = (at: number) => ({ nowMs: NOW_MS + at, intervalMs: INTERVAL_MS, repeatMs: REPEAT_MS });
  return {
    place,
    all,
    devices: all.map(({ device }) => device),
    node: place.random(16),
    mark: (at: number, whom: readonly DeviceId[] | null = null) => store.markPushDue(org, whom, times(at)),
    claim: (at: number) => claimsOf(store, org, NOW_MS + at),
    settle: (claim: ClaimedPush, at: number) =>
      store.settlePush(claim, { nowMs: NOW_MS + at, ticket: `told at ${at}` }),
    presence: (node: Uint8Array, at: number, changes: [DeviceId, PresenceChange['kind']][]) =>
      store.putPresence(
        node,
        changes.map(([device, kind]) => ({ org, device, kind })),
        NOW_MS + at,
      ),
    write: () => store.appendEnvelopes([item(place)]),
  };
}

/** The store is shared: others' claims are of no interest, and theirs to lose. */
async function claimsOf(store: RelayStore, org: OrgId, nowMs: number): Promise<ClaimedPush[]> {
  const claims = await store.claimPushes(nowMs, nowMs + CLAIM_MS, 1000);
  return claims.filter((claim) => claim.org === org);
}

const sorted = (devices: readonly { device: DeviceId }[]): DeviceId[] =>
  devices.map(({ device }) => device).toSorted();

/** Who is told how, and when. */
export const pushChecks: readonly StoreCheck[] = [
  {
    name: 'keeps one registration of a device, and each for one device only, also over a restart',
    async check({ store, reopen }) {
      const { place, all, mark, claim } = await setUp(store, 'push registrations', 3);
      const [first, second, third] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
      const moved = { ...first, name: second.name, sealed: place.random(80), keyNumber: 3 };
      await store.putPushRegistration(moved);
      const elsewhere = (await setUp(store, 'push elsewhere', 0)).place;
      await store.putPushRegistration(registration(elsewhere, { name: third.name }));
      await store.deletePushRegistration(place.org, third.device, place.random(32));
      assert.equal(await mark(0), 2);
      const claims = await claim(0);
      assert.deepEqual(sorted(claims), sorted([first, third]));
      const { untilMs, tries, toldMs, ticket, ...kept } = claims.find(
        ({ device }) => device === first.device,
      ) as ClaimedPush;
      assert.deepEqual(kept, moved);
      assert.deepEqual([untilMs, tries, toldMs, ticket], [NOW_MS + CLAIM_MS, 0, 0, null]);
      await store.close();
      const again = await reopen();
      const later = await claimsOf(again, place.org, NOW_MS + CLAIM_MS);
      assert.deepEqual(sorted(later), sorted([first, third]));
      await again.deletePushRegistration(place.org, first.device, moved.name);
      await again.deletePushRegistration(place.org, third.device);
      assert.deepEqual(await claimsOf(again, place.org, NOW_MS + 2 * CLAIM_MS), []);
      return again;
    },
  },
  {
    name: 'has those told that are meant, once, and each by one of those who ask',
    async check({ store }) {
      const { place, devices, mark, claim } = await setUp(store, 'push marks', 20);
      const [first, , third] = devices as [DeviceId, DeviceId, DeviceId];
      assert.equal(await mark(0, [first, deviceId(place.random(32))]), 1);
      assert.equal(await mark(0, [first]), 0);
      assert.deepEqual(sorted(await claim(-1)), []);
      assert.deepEqual(sorted(await claim(0)), [first]);
      await store.deletePushRegistration(place.org, third);
      assert.equal(await mark(0), 18);
      const claims = await Promise.all([1, 2, 3, 4].map(() => claim(1)));
      assert.deepEqual(
        sorted(claims.flat()),
        devices.filter((device) => device !== first && device !== third).toSorted(),
      );
      assert.ok(((await store.nextPushMs()) ?? Infinity) <= NOW_MS + CLAIM_MS + 1);
    },
  },
  {
    name: 'waits between two words to a device, and longer for one that has not come',
    async check({ store }) {
      const { devices, node, mark, claim, settle, presence } = await setUp(store, 'push intervals', 2);
      const [away, comes] = devices as [DeviceId, DeviceId];
      await mark(0);
      for (const one of await claim(0)) await settle(one, 10);
      assert.deepEqual(await claim(CLAIM_MS), []);
      await presence(node, 20, [[comes, 'came']]);
      await presence(node, 30, [[comes, 'left']]);
      assert.equal(await mark(40), 2);
      assert.deepEqual(sorted(await claim(INTERVAL_MS + 9)), []);
      const [early] = (await claim(INTERVAL_MS + 10)) as [ClaimedPush];
      assert.deepEqual([early.device, early.ticket, early.toldMs], [comes, 'told at 10', NOW_MS + 10]);
      await settle(early, INTERVAL_MS + 10);
      assert.deepEqual(sorted(await claim(REPEAT_MS + 9)), []);
      assert.deepEqual(sorted(await claim(REPEAT_MS + 10)), [away]);
    },
  },
  {
    name: 'puts off what failed, and lets go of what has changed meanwhile',
    async check({ store }) {
      const { place, all, devices, node, mark, claim, settle, presence } = await setUp(
        store,
        'push again',
        1,
      );
      const [device] = devices as [DeviceId];
      await mark(0);
      const [one] = (await claim(0)) as [ClaimedPush];
      await store.postponePush(one, NOW_MS + 500);
      await store.postponePush(one, NOW_MS + 9_000);
      assert.deepEqual(await claim(499), []);
      const [two] = (await claim(500)) as [ClaimedPush];
      assert.deepEqual([two.device, two.tries], [device, 1]);
      // It comes, and something new is stored, while it is being told.
      await presence(node, 600, [[device, 'came']]);
      await store.postponePush(two, NOW_MS + 700);
      assert.deepEqual(await claim(CLAIM_MS * 2), []);
      await presence(node, 800, [[device, 'left']]);
      await mark(900);
      await settle(two, 950);
      const [three] = (await claim(900)) as [ClaimedPush];
      assert.deepEqual([three.tries, three.ticket], [0, 'told at 950']);
      // Another token in its place is not the one that is dead.
      const fresh = { ...(all[0] as (typeof all)[0]), name: place.random(32) };
      await store.putPushRegistration(fresh);
      await store.deletePushRegistration(place.org, device, three.name);
      await settle(three, 990);
      const [four] = (await claim(900 + CLAIM_MS)) as [ClaimedPush];
      assert.deepEqual([four.name, four.ticket], [fresh.name, null]);
    },
  },
  {
    name: 'tells nobody who is connected, and whoever was lost with what was on its way',
    async check({ store }) {
      const { devices, node, mark, claim, presence, write } = await setUp(store, 'push presence', 4);
      const [stays, leaves, lost, missed] = devices as [DeviceId, DeviceId, DeviceId, DeviceId];
      assert.equal(await mark(0, [leaves]), 1);
      await presence(
        node,
        1,
        devices.map((device) => [device, 'came']),
      );
      assert.equal(await mark(2), 0);
      assert.equal(await presence(node, 3, [[lost, 'lost']]), 0);
      await write();
      const ends: [DeviceId, PresenceChange['kind']][] = [
        [leaves, 'left'],
        [missed, 'lost'],
      ];
      assert.equal(await presence(node, 4, ends), 1);
      assert.deepEqual(sorted(await claim(3)), []);
      assert.deepEqual(sorted(await claim(4)), [missed]);
      assert.equal(await mark(5), 2);
      assert.deepEqual(sorted(await claim(5)), [leaves, lost].toSorted());
      assert.ok(!sorted(await claim(10 * REPEAT_MS)).includes(stays));
    },
  },
  {
    name: 'finds out after a crash who has missed something',
    async check({ store, reopen }) {
      const { place, devices, node, presence, write } = await setUp(store, 'push recovery', 3);
      const [left, connected, away] = devices as [DeviceId, DeviceId, DeviceId];
      await write();
      await presence(node, 0, [
        [left, 'came'],
        [connected, 'came'],
        [away, 'left'],
      ]);
      await store.putMail({
        org: place.org,
        recipient: away,
        sender: connected,
        member: memberId(place.random(16)),
        messageId: place.random(16),
        bytes: place.random(9),
        expiresMs: NOW_MS,
        most: 9,
        mostOfMember: 9,
      });
      await presence(node, 1, [[left, 'left']]);
      await store.close();
      const again = await reopen();
      await again.recoverPushes(place.random(16), NOW_MS + 5);
      assert.deepEqual(sorted(await claimsOf(again, place.org, NOW_MS + 4)), []);
      assert.deepEqual(sorted(await claimsOf(again, place.org, NOW_MS + 5)), [away]);
      // Nobody is connected to the run before.
      const times = { nowMs: NOW_MS + 6, intervalMs: INTERVAL_MS, repeatMs: REPEAT_MS };
      assert.equal(await again.markPushDue(place.org, [connected], times), 1);
      return again;
    },
  },
  {
    name: 'leaves devices to nodes that hold a lease',
    async check({ store }) {
      const { place, devices, node, mark, presence } = await setUp(store, 'push nodes', 2);
      const [here, gone] = devices as [DeviceId, DeviceId];
      await presence(node, 0, [[here, 'came']]);
      await presence(place.random(16), 0, [[gone, 'came']]);
      await store.renewNode({ node, relayKey: place.random(32), leaseMs: 60_000, acked: 0 });
      await store.recoverPushes(place.random(16), NOW_MS + 1);
      assert.equal(await mark(2), 1);
      await store.leaveNodes(node);
      await store.recoverPushes(place.random(16), NOW_MS + 3);
      assert.equal(await mark(4), 1);
    },
  },
  {
    name: 'tells a device that has lost its place once more, and forgets it',
    async check({ store }) {
      const { place, all, devices, node, mark, claim, settle, presence } = await setUp(store, 'push end', 3);
      const [ended, dead, other] = devices as [DeviceId, DeviceId, DeviceId];
      await presence(node, 0, [[ended, 'came']]);
      const subjects = [ended, dead].map((id) => ({ kind: 'device', id }) as const);
      await store.appendLogEntry({ ...addition(place, 1, place.random(99)), ended: subjects });
      await presence(node, 1, [
        [ended, 'lost'],
        [dead, 'came'],
      ]);
      assert.equal(await mark(2), 1);
      const claims = await claim(1);
      assert.deepEqual(sorted(claims), [ended, dead].toSorted());
      const of = (device: DeviceId) => claims.find((one) => one.device === device) as ClaimedPush;
      await settle(of(ended), 3);
      await store.deletePushRegistration(place.org, dead, of(dead).name);
      const names = (await claim(10 * REPEAT_MS)).map(({ device }) => device);
      assert.deepEqual(names, [other]);
      assert.equal(await mark(20 * REPEAT_MS), 0);
      assert.equal(all.length, 3);
    },
  },
];
