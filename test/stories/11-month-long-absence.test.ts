import { createOrganisation, join } from '@keytide/client';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatPeople, hears, reasonsOf, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const DAY_MS = 86_400_000;
const policy = {
  blockSeconds: 86_400,
  retentionSeconds: 7 * 86_400,
  exportSeconds: 90 * 86_400,
  silenceSeconds: 6 * 86_400,
};
const clock = leapingClock(1_767_225_600_000 + 600_000);
const people = chatPeople(clock);

let relay: Relay;
let ada: Person;
let bo: Person;

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log: () => {} });
  const founding = { relayUrl: relay.url, handle: 'ada', policy };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }));
  const link = await ada.client.invite();
  bo = await people.enters((entered) => join({ ...entered, link, handle: 'bo' }));
});

afterAll(async () => {
  await people.close();
  await relay?.close();
});

test('bo goes away for a month, with a phone that holds a week', async () => {
  await says(ada, 'day 0');
  await hears(bo, 'day 0');
  await says(bo, 'see you in a month');
  await hears(ada, 'see you in a month');
  await people.leaves(bo);
  for (let day = 3; day <= 30; day += 3) {
    await people.sleep(3 * DAY_MS);
    await says(ada, `day ${day}`);
  }
});

test('back, and before there is any network: everything that was on the phone is over, and gone', async () => {
  expect((await bo.store.keys.names('epoch/')).length).toBeGreaterThan(0);
  await people.turnsOn(bo);
  expect(textsOf(bo)).toEqual([]);
  expect(reasonsOf(bo)).toEqual(new Set(['expired-by-policy']));
  expect(await bo.store.keys.names('epoch/')).toEqual([]);
});

test('it writes at once, and its chain goes on where it was', async () => {
  await bo.client.online();
  await says(bo, 'I am back');
  await hears(ada, 'I am back');
  expect([ada.client.missing, reasonsOf(ada)]).toEqual([[], new Set()]);
});

test('what was written in the last week comes by a request that nobody has to make, and nothing older than X', async () => {
  for (const day of [24, 27, 30]) await hears(bo, `day ${day}`);
  for (const day of [0, 3, 21]) expect(textsOf(bo)).not.toContain(`day ${day}`);
  expect(reasonsOf(bo)).toEqual(new Set(['expired-by-policy']));
  const own = textsOf(bo).filter((text) => text === 'I am back');
  expect(own).toEqual(['I am back']);
});
