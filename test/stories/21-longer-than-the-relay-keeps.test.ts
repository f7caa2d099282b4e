import { createOrganisation, join } from '@keytide/client';
import { startRelay, type LogEvent, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatPeople, hears, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const DAY_MS = 86_400_000;
const policy = { blockSeconds: 86_400, retentionSeconds: 3 * 86_400, exportSeconds: 8 * 86_400 };
const clock = leapingClock(1_767_225_600_000 + 600_000);
const people = chatPeople(clock);
const events: LogEvent[] = [];

let relay: Relay;
let ada: Person;
let bo: Person;
let cy: Person;

const forgotten = () => events.filter((event) => event.event === 'forgotten');
/** The entries that the relay has no more, as a device tells of them. */
const stretchesOf = ({ client }: Person) =>
  client.unreadable.filter(({ throughSeq }) => throughSeq !== undefined);

beforeAll(async () => {
  const log = (event: LogEvent): void => void events.push(event);
  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log });
  const founding = { relayUrl: relay.url, handle: 'ada', policy };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }));
  const link = await ada.client.invite();
  bo = await people.enters((entered) => join({ ...entered, link, handle: 'bo' }));
});

afterAll(async () => {
  await people.close();
  await relay?.close();
});

test('bo is away for longer than the relay keeps anything; ada talks on', async () => {
  await says(ada, 'day 0');
  await hears(bo, 'day 0');
  await says(bo, 'I am gone');
  await hears(ada, 'I am gone');
  await people.leaves(bo);
  for (let day = 2; day <= 12; day += 2) {
    await people.sleep(2 * DAY_MS);
    await says(ada, `day ${day}`);
  }
});

test('before anything goes, somebody must have exported it, as the policy says', async () => {
  expect(await relay.forget()).toBe(true);
  expect(forgotten()).toEqual([]);
  const due = await ada.client.retentionDue();
  // She has it before she asks.
  await expect.poll(() => ada.client.dueSoon).toEqual(due);
  const { isWaived, days } = due;
  expect(isWaived).toBe(false);
  // Over are the days up to 3; up to 5 they soon will be.
  expect(days.map(({ isExported }) => isExported)).toEqual([false, false, false]);
  expect(days.map(({ dueMs }) => dueMs <= clock.now())).toEqual([true, true, false]);
  const [first] = days;
  await ada.client.acknowledgeExport({ throughSeq: first?.lastSeq ?? 0, root: new Uint8Array(32) });
  expect((await ada.client.retentionDue()).days.map(({ isExported }) => isExported)).toEqual([
    true,
    false,
    false,
  ]);
  await relay.forget();
  expect(forgotten()).toMatchObject([{ firstSeq: first?.firstSeq, lastSeq: first?.lastSeq }]);
  await ada.client.setPolicy((before) => ({ ...before, exportWaived: true }));
  await relay.forget();
  // Days 0 to 3, of 8 that must be over by day 12.
  expect(forgotten()).toHaveLength(2);
  // The relay signs what it has forgotten, without a gap.
  const { deleted } = await ada.client.retentionDue();
  const stretches = deleted.map(({ firstSeq, lastSeq }) => ({ firstSeq, lastSeq }));
  expect(stretches.toReversed()).toMatchObject(
    forgotten().map(({ firstSeq, lastSeq }) => ({ firstSeq, lastSeq })),
  );
});

test('back, it goes on from where the log begins now, and says what is over: no hole, and nobody accused', async () => {
  await people.returns(bo);
  expect(bo.client.dueSoon).toBeNull();
  await says(bo, 'I am back');
  await hears(ada, 'I am back');
  await says(ada, 'welcome back');
  await hears(bo, 'welcome back');
  const [stretch, ...others] = stretchesOf(bo);
  expect(others).toEqual([]);
  expect(stretch).toMatchObject({ code: 'expired-by-policy' });
  expect(stretch?.throughSeq).toBe(forgotten()[1]?.lastSeq);
  expect(textsOf(bo)).not.toContain('day 2');
  for (const { client } of [ada, bo]) {
    expect(client.missing).toEqual([]);
    expect(client.divergence).toBeNull();
  }
});

test('the days within X come by a request that nobody has to make', async () => {
  for (const day of [10, 12]) await hears(bo, `day ${day}`);
  expect(textsOf(bo).filter((text) => text === 'I am back')).toHaveLength(1);
});

test('turned off and on, it knows the same', async () => {
  const before = [textsOf(bo), stretchesOf(bo)];
  await people.leaves(bo);
  await people.returns(bo);
  expect([textsOf(bo), stretchesOf(bo)]).toEqual(before);
  // Until then nobody could seal to its new key.
  clock.leap(60_000);
  await says(bo, 'still here');
  await hears(ada, 'still here');
  expect(ada.client.missing).toEqual([]);
});

test('somebody new begins where the log begins, and is heard', async () => {
  const link = await ada.client.invite();
  cy = await people.enters((entered) => join({ ...entered, link, handle: 'cy' }));
  await says(cy, 'hello from cy');
  for (const one of [ada, bo]) await hears(one, 'hello from cy');
  await says(ada, 'hello cy');
  await hears(cy, 'hello cy');
  expect(stretchesOf(cy)[0]).toMatchObject({ seq: 1, code: 'expired-by-policy' });
  expect(cy.client.divergence).toBeNull();
  expect(cy.client.missing).toEqual([]);
});

test('a group in which nobody wrote for so long goes on: its last epoch is kept, and nothing else', async () => {
  await people.leaves(bo);
  await people.leaves(cy);
  await people.sleep(30 * DAY_MS);
  expect(await relay.forget()).toBe(true);
  const link = await ada.client.invite();
  const di = await people.enters((entered) => join({ ...entered, link, handle: 'di' }));
  // Everybody's keys begin anew some seconds after they are back.
  clock.leap(10_000);
  await says(di, 'anybody there?');
  await hears(ada, 'anybody there?');
  await people.returns(bo);
  await says(bo, 'here');
  for (const one of [ada, di]) await hears(one, 'here');
  expect(stretchesOf(di)).toMatchObject([{ seq: 1 }]);
  for (const { client } of [ada, bo, di]) expect([client.missing, client.divergence]).toEqual([[], null]);
});
