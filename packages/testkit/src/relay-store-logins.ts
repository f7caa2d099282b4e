import assert from 'node:assert/strict';
import type { Subject } from '@keytide/relay-protocol';
import type { StoreCheck } from './relay-store-check.ts';
import { announcement, item, NOW_MS, placeOf, startedPlace, wholeLog } from './relay-store-fixtures.ts';
import { freshSession } from './relay-store-sessions.ts';

const device: Subject = { kind: 'device', id: '7a'.repeat(32) };
const LATER_MS: number = NOW_MS + 60_000;

/** Challenges, and what is left after closing. */
export const loginChecks: readonly StoreCheck[] = [
  {
    name: 'gives a challenge away once',
    async check({ store }) {
      const { org, random } = placeOf('challenge');
      const challenge = random(32);
      await store.putChallenge({ org, challenge, subject: device, expiresMs: LATER_MS });
      const takers = Array.from({ length: 8 }, () =>
        store.takeChallenge({ org, challenge, subject: device }, NOW_MS),
      );
      assert.equal((await Promise.all(takers)).filter(Boolean).length, 1);
      assert.equal(await store.takeChallenge({ org, challenge, subject: device }, NOW_MS), false);
    },
  },
  {
    name: 'gives a challenge to its subject only, in its organisation, in time',
    async check({ store }) {
      const { org, random } = placeOf('subject');
      const elsewhere = placeOf('elsewhere').org;
      async function taken(by: { subject?: Subject; at?: number }): Promise<boolean> {
        const challenge = random(32);
        await store.putChallenge({ org, challenge, subject: device, expiresMs: LATER_MS });
        return store.takeChallenge({ org, challenge, subject: by.subject ?? device }, by.at ?? NOW_MS);
      }
      assert.equal(await taken({}), true);
      assert.equal(await taken({ subject: { ...device, kind: 'invite' } }), false);
      assert.equal(await taken({ subject: { ...device, id: '7b'.repeat(32) } }), false);
      assert.equal(await taken({ at: LATER_MS - 1 }), true);
      assert.equal(await taken({ at: LATER_MS }), false);
      const challenge = random(32);
      await store.putChallenge({ org, challenge, subject: device, expiresMs: LATER_MS });
      assert.equal(await store.takeChallenge({ org: elsewhere, challenge, subject: device }, NOW_MS), false);
      assert.equal(await store.takeChallenge({ org, challenge: random(32), subject: device }, NOW_MS), false);
    },
  },
  {
    name: 'forgets what has expired',
    async check({ store }) {
      const { org, random } = placeOf('forget');
      const challenge = random(32);
      await store.putChallenge({ org, challenge, subject: device, expiresMs: 1_000 });
      await store.forgetLogins(2_000);
      assert.equal(await store.takeChallenge({ org, challenge, subject: device }, 500), false);
    },
  },
  {
    name: 'has everything when it is closed and opened again',
    async check({ store, reopen }) {
      const place = await startedPlace(store, 'reopen');
      const { org, group } = place;
      const second = announcement(place, 2);
      await store.appendEnvelopes([item(place), item(place)]);
      await store.announceEpoch(second);
      const session = freshSession(org, place.random);
      await store.putSession(session, 1);
      const before = [
        await store.readLog(org, 0),
        await wholeLog(store, place),
        await store.readSession(org, session.tokenHash),
      ];
      await store.close();
      const again = await reopen();
      const after = [
        await again.readLog(org, 0),
        await wholeLog(again, place),
        await again.readSession(org, session.tokenHash),
      ];
      assert.deepEqual(after, before);
      for (const { device: recipient, box } of second.boxes)
        assert.deepEqual((await again.readBox({ org, group, epoch: 2, device: recipient }))?.bytes, box);
      assert.deepEqual(await again.appendEnvelopes([item(place)]), [{ seq: 5, repeated: false }]);
      return again;
    },
  },
];
