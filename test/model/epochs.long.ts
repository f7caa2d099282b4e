import { expect, test } from 'vitest';
import { walk } from './walk.ts';

const SMALL = { people: 8, phones: 14 };
const FULL = { people: 30, phones: 60 };

test.each([
  { ...SMALL, runs: 120, commands: 60, from: { people: 4, phones: 6 } },
  { ...FULL, runs: 16, commands: 80, from: { people: 26, phones: 50 } },
])(
  'whoever does whatever, exactly those read an epoch who should: $people people, $phones phones',
  async ({ people, phones, runs, commands, from }) => {
    const tally = await walk({ runs, commands, size: { people, phones }, start: from });
    expect(tally.refused).toBeGreaterThan(runs);
    expect(tally.epochs).toBeGreaterThan(runs);
    expect(tally.messages).toBeGreaterThan(runs);
  },
);
