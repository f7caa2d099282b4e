import { createOrganisation, join } from '@keytide/client';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatPeople, hears, reasonsOf, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const PATIENCE = { timeout: 40_000 };
const policy = {
  blockSeconds: 3600,
  retentionSeconds: 6 * 3600,
  exportSeconds: 48 * 3600,
  silenceSeconds: 12 * 3600,
};
const clock = leapingClock(1_767_225_600_000 + 600_000);
const people = chatPeople(clock);

let relay: Relay;
let ada: Person;
let bo: Person;
/** What bo's clock is wrong by. */
let aheadMs = 0;

async function restarts(): Promise<void> {
  await people.leaves(bo);
  await people.turnsOn(bo);
}

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log: () => {} });
  const founding = { relayUrl: relay.url, handle: 'ada', policy };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }));
  const link = await ada.client.invite();
  const bosPorts = clock.ports(() => aheadMs);
  bo = await people.enters((entered) => join({ ...entered, link, handle: 'bo' }), bosPorts);
});

afterAll(async () => {
  await people.close();
  await relay?.close();
});

test('a clock that is a year ahead: everything is over, what comes too, and nothing can be written', async () => {
  await says(ada, 'before');
  await hears(bo, 'before');
  aheadMs = YEAR_MS;
  await restarts();
  expect([textsOf(bo), reasonsOf(bo)]).toEqual([[], new Set(['expired-by-policy'])]);
  expect(await bo.store.keys.names('epoch/')).toEqual([]);
  await bo.client.online();
  await says(ada, 'meanwhile');
  await expect.poll(() => bo.client.unreadable.length, PATIENCE).toBe(2);
  expect(reasonsOf(bo)).toEqual(new Set(['expired-by-policy']));
  await expect(bo.client.collections.chat.append({ text: 'from the future' })).rejects.toMatchObject({
    code: 'not-ready',
  });
});

test('put right, the phone asks the relay what time it is, and has everything back of what is not over', async () => {
  aheadMs = 0;
  clock.leap(60_000);
  await hears(bo, 'meanwhile');
  await hears(bo, 'before');
  expect(bo.client.unreadable).toEqual([]);
  await expect
    .poll(
      () =>
        says(bo, 'I am of today').then(
          () => true,
          () => false,
        ),
      PATIENCE,
    )
    .toBe(true);
  await hears(ada, 'I am of today');
});

test('a clock that is a year behind keeps nothing: what admins sign says what time it is', async () => {
  aheadMs = -YEAR_MS;
  await restarts();
  await bo.client.online();
  expect(textsOf(bo)).toContain('before');
  await says(ada, 'for a clock that is slow');
  await hears(bo, 'for a clock that is slow');
  await says(bo, 'I am of last year');
  await hears(ada, 'I am of last year');
  // Seven hours later it is over, an hour after that at the latest an epoch says so. Soon after, bo's sealing keys are
  // over too: a device whose clock is behind publishes none.
  for (let step = 1; step <= 8; step += 1) {
    // Bo's clock may be too far off to come back by it.
    await people.sleep(HOUR_MS, [ada]);
    await says(ada, `${step} hours later`);
    await hears(bo, `${step} hours later`);
  }
  await expect.poll(() => textsOf(bo), PATIENCE).not.toContain('before');
});

test('put right, it goes on', async () => {
  aheadMs = 0;
  await restarts();
  await bo.client.online();
  await expect
    .poll(
      () =>
        says(bo, 'right again').then(
          () => true,
          () => false,
        ),
      PATIENCE,
    )
    .toBe(true);
  await hears(ada, 'right again');
  await says(ada, 'good to hear');
  await hears(bo, 'good to hear');
  expect(textsOf(bo)).not.toContain('before');
});
