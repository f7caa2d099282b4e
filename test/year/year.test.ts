import { expect, test } from 'vitest';
import { SOME_WEEKS } from './plans.ts';
import { live } from './year.ts';

test('some weeks: every message is read by those entitled, or says why not', async () => {
  const { table, acts, wrong, story } = await live(SOME_WEEKS);
  console.log(`seed '${SOME_WEEKS.seed}'\n${table}\n\n${acts}`);
  expect(wrong, `seed '${SOME_WEEKS.seed}'\n${story.join('\n')}`).toEqual([]);
  // What has never come up proves nothing.
  for (const row of ['read', 'expired-by-policy', 'ask-an-admin', '(wiped)'])
    expect(table.total(row), row).toBeGreaterThan(0);
  expect(acts.total('everyone but admins is wiped')).toBe(1);
}, 180_000);
