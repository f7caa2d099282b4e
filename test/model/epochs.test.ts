import { expect, test } from 'vitest';
import { walk } from './walk.ts';

test('whoever does whatever, exactly those read an epoch who should: up to 8 people', async () => {
  const size = { people: 8, phones: 14 };
  const tally = await walk({ runs: 6, commands: 40, size, start: { people: 4, phones: 6 } });
  expect(tally.accepted).toBeGreaterThan(30);
  expect(tally.refused).toBeGreaterThan(20);
  expect(tally.epochs).toBeGreaterThan(20);
  expect(tally.messages).toBeGreaterThan(5);
});
