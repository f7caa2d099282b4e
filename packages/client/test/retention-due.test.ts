import { expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../src/index.ts';
import { Retention } from '../src/retention.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

const ENDED_MS = -29.99 * DAY_MS;
interface Known {
  readonly shortMs?: number;
  /** When the block of the oldest key that is here has ended, and of the oldest epoch, with or without its key. */
  readonly keyEndMs?: number | null;
  readonly epochEndMs?: number | null;
}

/** For how long a retention sleeps that has ticked. */
async function sleptMs({
  shortMs = Infinity,
  keyEndMs = ENDED_MS,
  epochEndMs = ENDED_MS,
}: Known): Promise<number> {
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
    epochs: { firstEndMs: epochEndMs, settle: () => ({ expiredThrough: 0, isNew: false, isBack: false }) },
    epochKeys: { firstEndMs: keyEndMs, deleteEndedBy: async () => false },
    ownHead: { latest: () => null, change: () => null },
    replica: { headOf: () => null },
    outbox: { last: null, forget: () => 0 },
    unsealed: { forget: async () => 0 },
    forgetShort: () => {},
    shortDueMs: () => shortMs,
  };
  await new Retention(options as unknown as ConstructorParameters<typeof Retention>[0]).run(aborted.signal);
  return slept;
}

test('it sleeps until the first thing is over, be it for everything or for one collection', async () => {
  expect(await sleptMs({})).toBeCloseTo(0.01 * DAY_MS);
  expect(await sleptMs({ shortMs: 0.005 * DAY_MS })).toBe(0.005 * DAY_MS);
});

test('it wakes for an epoch whose key never came: what it says of it is over too', async () => {
  expect(await sleptMs({ keyEndMs: null })).toBeCloseTo(0.01 * DAY_MS);
  expect(await sleptMs({ keyEndMs: -10 * DAY_MS })).toBeCloseTo(0.01 * DAY_MS);
  expect(await sleptMs({ epochEndMs: null })).toBeCloseTo(0.01 * DAY_MS);
});

test('it looks at the clock every hour: that can be put right, or the device have slept', async () => {
  expect(await sleptMs({ keyEndMs: null, epochEndMs: null })).toBe(HOUR_MS);
  expect(await sleptMs({ keyEndMs: -10 * DAY_MS, epochEndMs: -10 * DAY_MS })).toBe(HOUR_MS);
});
