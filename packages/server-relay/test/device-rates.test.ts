import { fakeClock, seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { createMemberRates, MOST_WAIT_MS } from '../src/device-rates.ts';

const world = seededWorld({ seed: 'rates', members: 1, devicesPerMember: 3 });
const elsewhere = seededWorld({ seed: 'rates elsewhere', members: 1 });
const [{ id: member, devices }] = world.members;
const of = (at: number) => ({ org: world.org, device: { id: devices[at]?.id ?? devices[0].id, member } });

test('who takes too soon waits until it is there, and one after the other gets it', () => {
  const clock = fakeClock(0);
  const rates = createMemberRates(clock, 2, 10);
  expect([rates.takes(of(0)), rates.takes(of(0))]).toEqual([0, 0]);
  expect([rates.takes(of(0)), rates.takes(of(0)), rates.takes(of(0))]).toEqual([100, 200, 300]);
  clock.advance(300);
  // What was owed has come back, and no more than that.
  expect(rates.takes(of(0))).toBe(100);
});

test('nobody waits longer than the most there is, and nobody owes more', () => {
  const clock = fakeClock(0);
  const rates = createMemberRates(clock, 1, 10);
  let waitMs = 0;
  for (let taken = 0; taken < 1_000; taken += 1) waitMs = rates.takes(of(0));
  expect(waitMs).toBe(MOST_WAIT_MS);
  clock.advance(MOST_WAIT_MS + 100);
  expect(rates.takes(of(0))).toBe(0);
});

test('a device leaves its member as much again, and the third gets nothing', () => {
  const rates = createMemberRates(fakeClock(0), 2, 1);
  const all = [0, 1, 2].map((at) => [rates.takes(of(at)), rates.takes(of(at))]);
  expect(all.slice(0, 2)).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(all[2]?.every((waitMs) => waitMs > 0)).toBe(true);
});

test('whoever founds an organisation with somebody else’s ids takes nothing from them', () => {
  const rates = createMemberRates(fakeClock(0), 1, 1);
  const copied = { ...of(0), org: elsewhere.org };
  for (let taken = 0; taken < 5; taken += 1) rates.takes(copied);
  expect([rates.admits(copied), rates.admits(of(0)), rates.admits(of(1))]).toEqual([false, true, true]);
});
