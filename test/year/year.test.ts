import { expect, test } from 'vitest';
import { SOME_WEEKS } from './plans.ts';
import { live } from './year.ts';

test('some weeks: every message is read by those entitled, or says why not', async () => {
  const { table, wrong, story } = await live(SOME_WEEKS);
  console.log(`seed '${SOME_WEEKS.seed}'\n${table}`);
  expect(wrong, `seed '${SOME_WEEKS.seed}'\n${story.join('\n')}`).toEqual([]);
  // What has never come up proves nothing.
  for (const row of ['read', 'expired-by-policy', 'ask-an-admin', '(ended)'])
    expect(table.total(row)).toBeGreaterThan(0);
}, 180_000);
