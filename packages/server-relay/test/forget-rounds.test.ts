import { deviceId, memberId, orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { fakeClock, memoryDatabase, seededRandom } from '@keytide/testkit';
import { expect, test, vi } from 'vitest';
import { createDayKeys } from '../src/day-keys.ts';
import { startForgetRounds, type ForgetRoundsOptions } from '../src/forget-rounds.ts';
import { createGroupLogs } from '../src/group-logs.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import { openStore } from '../src/sql/open.ts';

const DAY_MS = 86_400_000;
const NOON = Date.UTC(2030, 0, 1, 12);
const random = seededRandom('forget rounds');

test('by a clock that may be ahead no unlock share and no mail is deleted; sessions go, as a login brings them back', async () => {
  const { store } = await openStore(memoryDatabase(), primitives, NOON);
  const clock = fakeClock(NOON);
  const keys = createDayKeys({
    store,
    wrapper: localKeyWrapper(primitives, random, random(32)),
    random,
  });
  const retentionOf = () => Promise.resolve(null);
  const logs = createGroupLogs({ store, keys, primitives, random, clock, retentionOf });
  let mayForget = false;
  let rounds = 0;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const blobs: ForgetRoundsOptions['blobs'] = {
    forgetOld: () => Promise.resolve({ count: 0, sizeBytes: 0 }),
  };
  const metrics = { expired: () => void (rounds += 1), attachmentsHeld: () => undefined };
  const given = { store, logs, keys, clock, retentionOf, primitives, blobs, metrics, log: () => undefined };
  const forgetting = startForgetRounds({
    ...given,
    stateOf: () => Promise.resolve(null),
    hint: () => undefined,
    signer: primitives.signer(random(32)),
    mayForget: () => Promise.resolve(mayForget),
  });
  try {
    const org = orgId(random(32));
    const device = deviceId(random(32));
    const id = random(32);
    const expiresMs = NOON + DAY_MS;
    const secret = { share: random(32), verifier: random(32) };
    const growth = { hashes: [], nodes: [], checkpoint: random(300) };
    await store.createOrganisation({ org, wire: random(9), growth, nowMs: NOON });
    await store.putUnlockShare({ org, device, id, ...secret, nowMs: NOON, logSize: 1, expiresMs });
    await store.putMail({
      ...{ org, recipient: device, sender: device, member: memberId(random(16)), messageId: random(16) },
      ...{ bytes: random(99), expiresMs, most: 9, mostOfMember: 9 },
    });
    const subject = { kind: 'device' as const, id: device };
    const [tokenHash, refreshHash] = [random(32), random(32)];
    const session = { org, id: random(32), subject, tokenHash, refreshHash, expiresMs, endsMs: expiresMs };
    await store.putSession(session, 9);

    clock.advance(365 * DAY_MS);
    vi.advanceTimersByTime(600_000);
    await expect.poll(() => store.readSession(org, tokenHash)).toBeNull();
    await forgetting.forget();
    expect((await store.listMail(org, device, 0, NOON)).messages.length).toBe(1);
    // Whoever sets the clock right has lost nothing.
    expect((await store.takeUnlockAttempt({ org, id, nowMs: NOON }))?.share).toEqual(secret.share);

    mayForget = true;
    await forgetting.forget();
    const before = rounds;
    vi.advanceTimersByTime(600_000);
    await expect.poll(() => rounds).toBe(before + 1);
    expect((await store.listMail(org, device, 0, NOON)).messages).toEqual([]);
    expect(await store.takeUnlockAttempt({ org, id, nowMs: NOON })).toBeNull();
  } finally {
    await forgetting.stop();
    vi.useRealTimers();
    await store.close();
  }
});
