import { expect, test } from 'vitest';
import { A_YEAR } from './plans.ts';
import { live } from './year.ts';

test('a year of fifty devices: every message is read by those entitled, or says why not', async () => {
  const { table, acts, wrong, story } = await live(A_YEAR);
  console.log(`seed '${A_YEAR.seed}'\n${table}\n\n${acts}`);
  expect(wrong, `seed '${A_YEAR.seed}'\n${story.slice(-100).join('\n')}`).toEqual([]);
  // What has never come up proves nothing.
  for (const row of ROWS) expect(table.total(row), row).toBeGreaterThan(0);
  for (const act of A_YEAR.isWhole ? ACTS : []) expect(acts.total(act), act).toBeGreaterThan(0);
}, 1_800_000);

const ROWS = [
  'read',
  'expired-by-policy',
  'ask-an-admin',
  '(wiped)',
  ...(A_YEAR.isWhole ? ['sealing-key-expired', '(ended)', '(locked)', '(not here yet: no network)'] : []),
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
