import assert from 'node:assert/strict';
import { compareBytes, deviceId, groupId, type DeviceId } from '@keytide/crypto-core';
import type { RelayStore } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { NOW_MS, startedPlace, type Place } from './relay-store-fixtures.ts';

type Put = Parameters<RelayStore['putAccessRequest']>[0];

const HOUR_MS = 3_600_000;

/** A request of some device, an hour to live, with changes. */
function asked({ org, group, random }: Place, device: DeviceId, changes: Partial<Put> = {}): Put {
  const times = { nowMs: NOW_MS, sinceMs: NOW_MS - 1, expiresMs: NOW_MS + HOUR_MS };
  return { org, group, device, id: random(32), wire: random(1_500), ...times, ...changes };
}

const idsIn = (requests: readonly { readonly id: Uint8Array }[]): Uint8Array[] =>
  requests.map(({ id }) => id);

/** Access requests: one of each device and group, their answers, their end. */
export const accessChecks: readonly StoreCheck[] = [
  {
    name: 'keeps one access request of a device and group, and its answers as long',
    async check({ store, reopen }) {
      const place = await startedPlace(store, 'access');
      const { org, random } = place;
      const [device, other, author] = [0, 1, 2].map(() => deviceId(random(32))) as [
        DeviceId,
        DeviceId,
        DeviceId,
      ];
      const first = asked(place, device);
      assert.equal(await store.putAccessRequest(first), 'kept');
      assert.equal(await store.putAccessRequest(first), 'repeated');
      const answer = { org, id: first.id, author, wire: random(2_000), nowMs: NOW_MS };
      assert.equal(await store.putAccessAnswer(answer), true);
      const better = { ...answer, wire: random(2_000) };
      assert.equal(await store.putAccessAnswer(better), true);
      const elsewhere = asked(place, device, { group: groupId(random(32)) });
      const theirs = asked(place, other);
      for (const request of [elsewhere, theirs]) assert.equal(await store.putAccessRequest(request), 'kept');
      await store.close();
      const again = await reopen();
      const { id, group, wire, expiresMs } = first;
      assert.deepEqual(await again.readAccessRequest(org, id, NOW_MS), {
        org,
        id,
        group,
        device,
        wire,
        expiresMs,
      });
      assert.deepEqual(await again.readAccessAnswers(org, id), [better.wire]);
      const next = asked(place, device, { nowMs: NOW_MS + 2, sinceMs: NOW_MS + 1 });
      assert.equal(await again.putAccessRequest(next), 'kept');
      assert.equal(await again.readAccessRequest(org, id, NOW_MS), null);
      assert.deepEqual(await again.readAccessAnswers(org, id), []);
      assert.equal(await again.putAccessAnswer(better), false);
      const left = [next, elsewhere, theirs].map((request) => request.id);
      assert.deepEqual(
        idsIn((await again.listAccessRequests(org, null, NOW_MS)).requests),
        left.toSorted(compareBytes),
      );
      return again;
    },
  },
  {
    name: 'does not replace an access request that has just come',
    async check({ store }) {
      const place = await startedPlace(store, 'access too soon');
      const device = deviceId(place.random(32));
      const requests = [0, 1, 2, 3].map(() => asked(place, device));
      const verdicts = await Promise.all(requests.map((request) => store.putAccessRequest(request)));
      assert.deepEqual(verdicts.toSorted(), ['kept', 'too-soon', 'too-soon', 'too-soon']);
      const winner = requests[verdicts.indexOf('kept')] as Put;
      assert.deepEqual(idsIn((await store.listAccessRequests(place.org, null, NOW_MS)).requests), [
        winner.id,
      ]);
      // A relay whose clock was put back does not lock a device out.
      const earlier = asked(place, device, { nowMs: NOW_MS - HOUR_MS, sinceMs: NOW_MS - HOUR_MS - 1 });
      assert.equal(await store.putAccessRequest(earlier), 'kept');
    },
  },
  {
    name: 'forgets an access request at its time, or when its own device says so',
    async check({ store }) {
      const place = await startedPlace(store, 'access ends');
      const { org, random } = place;
      const [mine, theirs] = [asked(place, deviceId(random(32))), asked(place, deviceId(random(32)))];
      for (const request of [mine, theirs]) await store.putAccessRequest(request);
      await store.deleteAccessRequest(org, theirs.id, mine.device);
      assert.notEqual(await store.readAccessRequest(org, theirs.id, NOW_MS), null);
      await store.deleteAccessRequest(org, theirs.id, theirs.device);
      assert.equal(await store.readAccessRequest(org, theirs.id, NOW_MS), null);
      const answer = {
        org,
        id: mine.id,
        author: deviceId(random(32)),
        wire: random(9),
        nowMs: mine.expiresMs,
      };
      assert.equal(await store.readAccessRequest(org, mine.id, mine.expiresMs), null);
      assert.deepEqual((await store.listAccessRequests(org, null, mine.expiresMs)).requests, []);
      assert.equal(await store.putAccessAnswer(answer), false);
      assert.equal(await store.putAccessAnswer({ ...answer, nowMs: NOW_MS }), true);
      await store.forgetExpired(mine.expiresMs + 1);
      assert.equal(await store.readAccessRequest(org, mine.id, NOW_MS), null);
      assert.deepEqual(await store.readAccessAnswers(org, mine.id), []);
    },
  },
  {
    name: 'keeps 16 answers to an access request',
    async check({ store }) {
      const place = await startedPlace(store, 'access answers');
      const { org, random } = place;
      const { id, ...request } = asked(place, deviceId(random(32)));
      await store.putAccessRequest({ id, ...request });
      const answers = Array.from({ length: 18 }, () => ({
        org,
        id,
        author: deviceId(random(32)),
        wire: random(50),
        nowMs: NOW_MS,
      }));
      const kept = await Promise.all(answers.map((answer) => store.putAccessAnswer(answer)));
      assert.equal(kept.filter(Boolean).length, 16);
      assert.equal((await store.readAccessAnswers(org, id)).length, 16);
      const [again] = answers.filter((_, i) => kept[i]);
      assert.ok(again !== undefined);
      assert.equal(await store.putAccessAnswer({ ...again, wire: random(50) }), true);
    },
  },
  {
    name: 'cuts access requests into pages of 256',
    async check({ store }) {
      const place = await startedPlace(store, 'access pages');
      const requests = Array.from({ length: 260 }, () => asked(place, deviceId(place.random(32))));
      await Promise.all(requests.map((request) => store.putAccessRequest(request)));
      const first = await store.listAccessRequests(place.org, null, NOW_MS);
      const last = first.requests.at(-1)?.id as Uint8Array;
      const second = await store.listAccessRequests(place.org, last, NOW_MS);
      assert.deepEqual([first.requests.length, first.more], [256, true]);
      assert.deepEqual([second.requests.length, second.more], [4, false]);
      const ids = idsIn([...first.requests, ...second.requests]);
      assert.deepEqual(ids, requests.map(({ id }) => id).toSorted(compareBytes));
    },
  },
];
