import { expect, test } from 'vitest';
import type { Plan } from './cast.ts';
import { SOME_WEEKS } from './plans.ts';
import { live } from './year.ts';

const WEEK = 7 * 86_400;

/** X is four weeks and Y twelve. Nine days less a quarter pass at a time, so that every part of a block has its turn. */
const A_YEAR: Plan = {
  ...SOME_WEEKS,
  weeks: 52,
  devices: 50,
  people: 30,
  stepsAWeek: 0.8,
  wipedInWeeks: [26],
  messagesAStep: 4,
  policy: {
    ...SOME_WEEKS.policy,
    retentionSeconds: 4 * WEEK,
    exportSeconds: 12 * WEEK,
    leaseSeconds: 5 * WEEK,
  },
};

test('a year of fifty devices: every message is read by those entitled, or says why not', async () => {
  const { table, acts, wrong, story } = await live(A_YEAR);
  console.log(`seed '${A_YEAR.seed}'\n${table}\n\n${acts}`);
  expect(wrong, `seed '${A_YEAR.seed}'\n${story.slice(-60).join('\n')}`).toEqual([]);
  // What has never come up proves nothing.
  for (const row of ROWS) expect(table.total(row), row).toBeGreaterThan(0);
  for (const act of ACTS) expect(acts.total(act), act).toBeGreaterThan(0);
}, 1_200_000);

const ROWS = [
  'read',
  'expired-by-policy',
  'ask-an-admin',
  'sealing-key-expired',
  '(ended)',
  '(wiped)',
  '(locked)',
  '(not here yet: no network)',
];
const ACTS = [
  'somebody joins',
  'a new phone',
  'a device is revoked',
  'a device is wiped',
  'a member is wiped',
  'a member is removed',
  'a member is an admin now',
  'a member is no admin any more',
  'everyone but admins is wiped',
  'a phone that is back: lease-over',
  'a region without network',
  'no network',
  'killed',
  'killed and opened again',
  'a clock is set',
  'a request is granted',
  'a request is granted, after a wipe',
  'a request is refused',
];
