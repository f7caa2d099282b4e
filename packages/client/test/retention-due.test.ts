import { expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../src/index.ts';
import { Retention } from '../src/retention.ts';

const DAY_MS = 86_400_000;

/** For how long a retention sleeps that has ticked, when a key's block ended now. */
async function sleptMs(shortMs: number): Promise<number> {
  const aborted = new AbortController();
  let slept = -1;
  const wait = async (ms: number): Promise<void> => {
    slept = ms;
    aborted.abort();
  };
  const options = {
    ports: { clock: { now: () => 0, wait } },
    time: { now: () => 0, keep: async () => {} },
    directory: { size: 1, state: { policy: DEFAULT_POLICY, members: new Map() } },
    epochs: { settle: () => ({ expiredThrough: 0, isNew: false, isBack: false }) },
    epochKeys: { firstEndMs: -29.9 * DAY_MS, deleteEndedBy: async () => false },
    ownHead: { latest: () => null, change: () => null },
    replica: { headOf: () => null },
    outbox: { last: null, forget: () => 0 },
    forgetShort: () => {},
    shortDueMs: () => shortMs,
  };
  await new Retention(options as unknown as ConstructorParameters<typeof Retention>[0]).run(aborted.signal);
  return slept;
}

test('it sleeps until the first thing is over, be it for everything or for one collection', async () => {
  expect(await sleptMs(Infinity)).toBeCloseTo(0.1 * DAY_MS);
  expect(await sleptMs(0.05 * DAY_MS)).toBe(0.05 * DAY_MS);
});
