import assert from 'node:assert/strict';
import { deviceId, type OrgId, type Random } from '@keytide/crypto-core';
import type { Subject } from '@keytide/relay-protocol';
import type { NewSession, RelayStore, SessionRefresh, SessionsToEnd } from '@keytide/server-relay';
import type { StoreCheck } from './relay-store-check.ts';
import { NOW_MS, placeOf, startedPlace } from './relay-store-fixtures.ts';

const FIRST = '7a'.repeat(32);
const device: Subject = { kind: 'device', id: FIRST };
const LATER_MS: number = NOW_MS + 60_000;
const END_MS: number = NOW_MS + 600_000;

/** A session with tokens of its own. */
export function freshSession(org: OrgId, random: Random, changes: Partial<NewSession> = {}): NewSession {
  const [id, tokenHash, refreshHash] = [random(32), random(32), random(32)];
  return {
    org,
    id,
    tokenHash,
    refreshHash,
    subject: device,
    expiresMs: LATER_MS,
    endsMs: END_MS,
    ...changes,
  };
}

function refreshOf({ org, id, refreshHash }: NewSession, random: Random): SessionRefresh {
  const fresh = { tokenHash: random(32), refreshHash: random(32), expiresMs: LATER_MS + 1 };
  return { org, id, shownHash: refreshHash, ...fresh, nowMs: NOW_MS };
}

async function lives(store: RelayStore, { org, tokenHash }: Pick<NewSession, 'org' | 'tokenHash'>) {
  return (await store.readSession(org, tokenHash)) !== null;
}

/** Begins sessions, ends some, and says which are left. */
async function leftOf(store: RelayStore, sessions: readonly NewSession[], which: SessionsToEnd) {
  for (const session of sessions) await store.putSession(session, 9);
  await store.endSessions(which);
  return Promise.all(sessions.map((session) => lives(store, session)));
}

/** Sessions: kept, refreshed, ended. */
export const sessionChecks: readonly StoreCheck[] = [
  {
    name: 'keeps sessions by organisation and token hash',
    async check({ store }) {
      const { org, random } = placeOf('session');
      const session = freshSession(org, random);
      await store.putSession(session, 2);
      const { id, subject, expiresMs, tokenHash } = session;
      const kept = await store.readSession(org, tokenHash);
      assert.deepEqual(kept, { org, id, subject, expiresMs, asOf: 0, logSize: 0 });
      // A socket holds it for as long as it is open, and must not hold what it was cut from.
      assert.equal(kept?.id.buffer.byteLength, 32);
      assert.equal(await store.readSession(org, random(32)), null);
      assert.equal(await store.readSession(placeOf('other').org, tokenHash), null);
    },
  },
  {
    name: 'keeps so many sessions of a subject, the newest',
    async check({ store }) {
      const { org, random } = placeOf('most');
      const sessions = [1, 2, 3].map((n) => freshSession(org, random, { endsMs: END_MS + n }));
      const invite = freshSession(org, random, { subject: { ...device, kind: 'invite' }, endsMs: END_MS });
      for (const session of [invite, ...sessions]) await store.putSession(session, 2);
      const left = await Promise.all([...sessions, invite].map((session) => lives(store, session)));
      assert.deepEqual(left, [false, true, true, true]);
    },
  },
  {
    name: 'gives other tokens for a refresh token once, and tells of the second use',
    async check({ store }) {
      const { org, random } = placeOf('refresh');
      const session = freshSession(org, random);
      await store.putSession(session, 2);
      const refreshes = Array.from({ length: 4 }, () => refreshOf(session, random));
      const found = await Promise.all(refreshes.map((refresh) => store.refreshSession(refresh)));
      assert.equal(found.filter((one) => one === 'reused').length, 3);
      const won = found.findIndex((one) => one !== 'reused');
      assert.deepEqual(found[won], { expiresMs: LATER_MS + 1, endsMs: END_MS });
      assert.equal(await lives(store, session), false);
      const winner = refreshes[won] as SessionRefresh;
      const { id, subject } = session;
      const now = { org, id, subject, expiresMs: LATER_MS + 1, asOf: 0, logSize: 0 };
      assert.deepEqual(await store.readSession(org, winner.tokenHash), now);
      assert.equal(await store.refreshSession(refreshOf(session, random)), 'reused');
      const next = refreshOf({ ...session, refreshHash: winner.refreshHash }, random);
      assert.deepEqual(await store.refreshSession({ ...next, expiresMs: END_MS + 9 }), {
        expiresMs: END_MS,
        endsMs: END_MS,
      });
    },
  },
  {
    name: 'refreshes no session that is unknown, of another organisation, over or ended',
    async check({ store }) {
      const { org, random } = await startedPlace(store, 'not refreshed');
      const session = freshSession(org, random);
      await store.putSession(session, 2);
      const refresh = refreshOf(session, random);
      assert.equal(await store.refreshSession({ ...refresh, id: random(32) }), null);
      assert.equal(await store.refreshSession({ ...refresh, org: placeOf('elsewhere').org }), null);
      assert.equal(await store.refreshSession({ ...refresh, nowMs: END_MS }), null);
      assert.notEqual(await store.refreshSession({ ...refresh, nowMs: END_MS - 1 }), null);
      await store.endSessions({ of: 'organisation', org });
      const next = refreshOf({ ...session, refreshHash: refresh.refreshHash }, random);
      assert.equal(await store.refreshSession(next), null);
    },
  },
  {
    name: 'ends one session, those of devices, of an organisation, or all',
    async check({ store }) {
      const { org, random } = await startedPlace(store, 'end');
      const elsewhere = await startedPlace(store, 'end elsewhere');
      const second: Subject = { kind: 'device', id: '7b'.repeat(32) };
      const sessions = (): NewSession[] => [
        freshSession(org, random),
        freshSession(org, random),
        freshSession(org, random, { subject: second }),
        freshSession(org, random, { subject: { kind: 'invite', id: FIRST } }),
        freshSession(elsewhere.org, random),
      ];
      const one = sessions();
      const id = (one[0] as NewSession).id;
      assert.deepEqual(await leftOf(store, one, { of: 'session', org, id }), [false, true, true, true, true]);
      const two = sessions();
      const but = (two[1] as NewSession).id;
      const devices = [deviceId(FIRST), deviceId(second.id)];
      assert.deepEqual(await leftOf(store, two, { of: 'devices', org, devices, but }), [
        false,
        true,
        false,
        true,
        true,
      ]);
      assert.deepEqual(
        await leftOf(store, sessions(), { of: 'devices', org, devices: [deviceId(FIRST)], but: null }),
        [false, false, true, true, true],
      );
      const four = sessions();
      assert.deepEqual(await leftOf(store, four, { of: 'organisation', org }), [
        false,
        false,
        false,
        false,
        true,
      ]);
      assert.deepEqual(await leftOf(store, sessions(), { of: 'relay' }), [false, false, false, false, false]);
      assert.equal(await lives(store, four[4] as NewSession), false);
      const after = freshSession(org, random);
      await store.putSession(after, 9);
      assert.equal(await lives(store, after), true);
    },
  },
  {
    name: 'tells by a generation that sessions were ended, and which live as of it',
    async check({ store }) {
      const { org, random } = await startedPlace(store, 'generation');
      const elsewhere = await startedPlace(store, 'generation elsewhere');
      const sessions = [freshSession(org, random), freshSession(org, random)] as const;
      for (const session of sessions) await store.putSession(session, 9);
      const ids = [...sessions.map(({ id }) => id), random(32)];
      const generations = async () => {
        const heads = await store.readOrgHeads([org, placeOf('none').org, elsewhere.org]);
        return new Map([...heads].map(([of, { sessionGeneration }]) => [of, sessionGeneration]));
      };
      const before = await generations();
      assert.deepEqual([...before.keys()].toSorted(), [org, elsewhere.org].toSorted());
      const generation = before.get(org) as number;
      assert.equal((await store.readLiveSessions(org, ids)).ids.length, 2);
      await store.endSessions({ of: 'session', org, id: sessions[0].id });
      assert.deepEqual(await store.readLiveSessions(org, ids), {
        generation: generation + 1,
        ids: [sessions[1].id],
      });
      assert.equal((await store.readSession(org, sessions[1].tokenHash))?.asOf, generation + 1);
      await store.endSessions({ of: 'devices', org, devices: [], but: null });
      assert.equal((await store.readLiveSessions(org, ids)).generation, generation + 2);
      await store.endSessions({ of: 'organisation', org });
      assert.deepEqual(await store.readLiveSessions(org, ids), { generation: generation + 3, ids: [] });
      assert.equal((await generations()).get(elsewhere.org), before.get(elsewhere.org));
      await store.endSessions({ of: 'relay' });
      assert.equal((await generations()).get(elsewhere.org), (before.get(elsewhere.org) as number) + 1);
      assert.deepEqual(await store.readLiveSessions(placeOf('nowhere').org, ids), { generation: 0, ids: [] });
    },
  },
  {
    name: 'forgets a session when its end is over, and not when its access token is',
    async check({ store }) {
      const { org, random } = placeOf('forget session');
      const over = freshSession(org, random, { expiresMs: 1_000, endsMs: 1_000 });
      const asleep = freshSession(org, random, { expiresMs: 1_000 });
      for (const session of [over, asleep]) await store.putSession(session, 9);
      await store.forgetLogins(2_000);
      assert.equal(await lives(store, over), false);
      assert.equal(await lives(store, asleep), true);
    },
  },
];
