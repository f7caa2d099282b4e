import fc from 'fast-check';
import type { SealingRecord } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { holds, PING_MS, sealingLife, type LifeOptions, type SealingLife } from './sealing-life.ts';
import { SHOWN, TAKEN, type Shown, type Taken } from './sealing-relay.ts';

type Step =
  | { readonly do: 'epoch'; readonly by: 'ada' | 'bo' }
  | { readonly do: 'power'; readonly is: 'on' | 'asleep' | 'off' }
  | { readonly do: 'network'; readonly is: boolean }
  | { readonly do: 'clock'; readonly aheadBlocks: number }
  | { readonly do: 'shown'; readonly is: Shown }
  | { readonly do: 'taken'; readonly is: Taken }
  | { readonly do: 'boxes'; readonly are: boolean }
  | { readonly do: 'crash'; readonly how: 'before' | 'after' | 'fails' }
  | { readonly do: 'ada restarts' };

interface Plan extends LifeOptions {
  /** How long each step waits before it, in blocks. */
  readonly steps: readonly (readonly [waitBlocks: number, step: Step])[];
}

const HONEST: readonly fc.WeightedArbitrary<Step>[] = [
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('epoch' as const), by: fc.constantFrom('ada', 'ada', 'bo') }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('power' as const),
      is: fc.constantFrom('on', 'on', 'asleep', 'off'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('network' as const), is: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('taken' as const),
      is: fc.constantFrom('taken', 'taken', 'lost on the way', 'answer lost'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      how: fc.constantFrom('before', 'after', 'fails'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'ada restarts' as const }) },
];
const clocks = (least: number, most: number): fc.WeightedArbitrary<Step> => ({
  weight: 2,
  arbitrary: fc.record({
    do: fc.constant('clock' as const),
    aheadBlocks: fc.oneof(fc.constant(0), fc.double({ min: least, max: most, noNaN: true })),
  }),
});
const HOSTILE: readonly fc.WeightedArbitrary<Step>[] = [
  { weight: 3, arbitrary: fc.record({ do: fc.constant('shown' as const), is: fc.constantFrom(...SHOWN) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('taken' as const), is: fc.constantFrom(...TAKEN) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('boxes' as const), are: fc.boolean() }) },
];

const plans = (steps: readonly fc.WeightedArbitrary<Step>[]): fc.Arbitrary<Plan> =>
  fc.record({
    seed: fc.string({ minLength: 4, maxLength: 4 }),
    blockSeconds: fc.constantFrom(240, 3600, 14_400),
    retentionBlocks: fc.integer({ min: 1, max: 8 }),
    graceBlocks: fc.integer({ min: 1, max: 4 }),
    steps: fc.array(
      fc.tuple(
        fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 6, noNaN: true })),
        fc.oneof(...steps),
      ),
      { minLength: 4, maxLength: 24 },
    ),
  });

const RUNS = { seed: 20_261_122, numRuns: 25 };

const ONE = { seed: 'one', blockSeconds: 3600, retentionBlocks: 4, graceBlocks: 1 };
const lastSeen = (life: SealingLife) => life.epochs[life.epochs.length - 1]?.seen;

test('who was away for longer than its key and the grace gets no box, is told why, and receives the next epoch', async () => {
  const life = await sealingLife(ONE);
  await life.power('on');
  await life.pass(0.9 * life.times.blockMs);
  await life.power('off');
  await life.pass(2 * life.times.blockMs);
  await life.announce('ada');
  expect(life.epochs[0]?.box).not.toBeNull();
  await life.pass(2 * life.times.blockMs);
  await life.announce('ada');
  expect(life.epochs[1]?.box).toBeNull();
  await life.power('on');
  expect(life.epochs.map(({ seen }) => seen)).toEqual([['opened'], ['sealing-key-expired']]);
  await life.pass(10_000);
  await life.announce('ada');
  expect(lastSeen(life)).toEqual(['opened']);
}, 60_000);

test('a box that is withheld, altered, or too late for its secret: each shows as what it is', async () => {
  const life = await sealingLife(ONE);
  await life.power('on');
  for (const [boxes, code] of [
    ['withheld', 'key-not-yet-arrived'],
    ['altered', 'tampered'],
    ['given', 'opened'],
  ] as const) {
    life.boxesAre(boxes);
    await life.announce('ada');
    expect(lastSeen(life)).toEqual([code]);
  }
  await life.clockAhead(20 * life.times.blockMs);
  await life.pass(life.times.blockMs / 4);
  await life.clockAhead(0);
  await life.announce('ada');
  expect(lastSeen(life)).toEqual(['sealing-key-expired']);
}, 60_000);

test('with an honest relay, whatever happens to the device and its clock within a block, it opens what it should', async () => {
  await fc.assert(
    fc.asyncProperty(plans([...HONEST, clocks(-6, 0.9)]), async (plan) => {
      const life = await live(plan);
      for (const { statement, box, seen, by, honest } of life.epochs) {
        if (box === null) expect(honest.kind).toBe('silent');
        const last = seen[seen.length - 1];
        if (last === undefined) continue;
        const context = `epoch ${statement.epoch} by ${by}`;
        if (box === null) expect(last, context).toBe('sealing-key-expired');
        else if (opensInTime(life, statement.epoch)) expect(last, context).toBe('opened');
        expect(last, context).not.toBe('tampered');
      }
      for (const { fate, wasFair } of life.sent) if (wasFair) expect(fate).not.toBe('record-refused');
    }),
    RUNS,
  );
}, 180_000);

test('with any clock, a key that is gone is no forgery, and a clock that was put right ends it', async () => {
  await fc.assert(
    fc.asyncProperty(plans([...HONEST, clocks(-10, 10)]), async (plan) => {
      const life = await live(plan);
      for (const { statement, seen } of life.epochs)
        expect(seen, `epoch ${statement.epoch}`).not.toContain('tampered');
    }),
    RUNS,
  );
}, 180_000);

test('with a relay that lies as it likes, nothing is sealed to its keys, and it is over when it stops', async () => {
  await fc.assert(
    fc.asyncProperty(plans([...HONEST, ...HOSTILE, clocks(-6, 0.9)]), async (plan) => {
      await live(plan);
    }),
    RUNS,
  );
}, 180_000);

/**
 * When bo's app last looked at an epoch, by its clock, was it before the box expired of the first epoch that the key can
 * be for to which its own is sealed?
 */
function opensInTime(life: SealingLife, epoch: number): boolean {
  const made = life.epochs[epoch - 1];
  const { blockMs, retentionMs } = life.times;
  if (made === undefined) return false;
  const atMs = life.lookedAtMs.get(epoch) ?? Infinity;
  const choices = [made.choice, made.honest].flatMap((one) =>
    one === null || one.kind === 'silent' ? [] : [firstEndMs(one.record, blockMs)],
  );
  return atMs < Math.min(...choices) + retentionMs;
}

/** When the first block ends in which a key can be used; of ada's and bo's first, which last for years, the last. */
function firstEndMs({ notBeforeMs, notAfterMs }: SealingRecord, blockMs: number): number {
  return (Math.floor(Math.max(notBeforeMs, notAfterMs - blockMs) / blockMs) + 1) * blockMs;
}

/** Plays a plan; what holds always is looked at after each step, and at the end all is well for a while. */
async function live({ steps, ...options }: Plan): Promise<SealingLife> {
  const life = await sealingLife(options);
  await life.power('on');
  for (const [waitBlocks, step] of steps) {
    await life.pass(Math.floor(waitBlocks * life.times.blockMs));
    await act(life, step);
    await alwaysHolds(life);
  }
  await calm(life);
  return life;
}

async function act(life: SealingLife, step: Step): Promise<void> {
  switch (step.do) {
    case 'epoch':
      await life.announce(step.by);
      break;
    case 'power':
      await life.power(step.is);
      break;
    case 'network':
      await life.network(step.is);
      break;
    case 'clock':
      await life.clockAhead(Math.floor(step.aheadBlocks * life.times.blockMs));
      break;
    case 'shown':
      life.relay.shown = step.is;
      break;
    case 'taken':
      life.relay.taken = step.is;
      break;
    case 'boxes':
      life.boxesAre(step.are ? 'given' : 'withheld');
      break;
    case 'crash':
      life.crashAtNextWrite(step.how);
      break;
    case 'ada restarts':
      await life.adaRestarts();
  }
}

async function alwaysHolds(life: SealingLife): Promise<void> {
  const { sent, relay, epochs, times } = life;
  // Durable before it leaves.
  for (const { wasDurable } of sent) expect(wasDurable).toBe(true);
  // Never two in force at once, never one from before it was made.
  for (const { record, atMs, wasFair } of sent) if (wasFair) expect(record.notBeforeMs).toBeGreaterThan(atMs);
  relay.records.forEach((record, i) => {
    const next = relay.records[i + 1];
    if (next !== undefined) expect(next.notBeforeMs).toBeGreaterThanOrEqual(record.notAfterMs);
  });
  // Never to a key that is not the device's, that is out of force, or older than one chosen before.
  let newestMs = -Infinity;
  for (const { choice, statement } of epochs) {
    if (choice === null || choice.kind === 'silent') continue;
    const { record } = choice;
    expect(relay.records).toContainEqual(record);
    expect(statement.createdMs).toBeLessThan(record.notAfterMs + times.graceMs);
    expect(statement.createdMs).toBeGreaterThanOrEqual(record === relay.records[0] ? 0 : record.notBeforeMs);
    expect(record.notBeforeMs).toBeGreaterThanOrEqual(newestMs);
    newestMs = record.notBeforeMs;
  }
  await nothingIsLeft(life);
  boundedWork(life);
}

/** What the time of a secret is over for is nowhere in the store, as of the last tick. */
async function nothingIsLeft(life: SealingLife): Promise<void> {
  const { times, lastTickMs } = life;
  const { blockMs, retentionMs } = times;
  if (life.process === null || lastTickMs === null) return;
  const stored = await life.everythingStored();
  for (const { record, seed } of life.secrets)
    if (lastTickMs >= firstEndMs(record, blockMs) + retentionMs)
      expect(stored.some((value) => holds(value, seed))).toBe(false);
  const old = life.epochs
    .filter(({ statement }) => lastTickMs >= statement.blockEndMs + retentionMs)
    .map(({ statement }) => statement.epoch);
  if (old.length === 0) return;
  const opened = await life.openedByThief();
  expect(opened.filter((epoch) => old.includes(epoch))).toEqual([]);
}

/** At most four attempts a tick; a tick for each step of time, each start and each time that the device caught up. */
function boundedWork({ counts, sent, times, trueNow, bornMs }: SealingLife): void {
  const stepMs = Math.min(600_000, Math.max(250, times.blockMs / 16));
  const ticks = (trueNow() - bornMs) / stepMs + counts.starts + counts.catchUps + counts.announcements;
  expect(counts.timers).toBeLessThanOrEqual((trueNow() - bornMs) / stepMs + counts.starts);
  expect(sent.length).toBeLessThanOrEqual(4 * ticks);
}

/** All is well for some blocks: then every epoch arrives, and a key a block is published, in good time. */
async function calm(life: SealingLife): Promise<void> {
  const { blockMs, retentionMs } = life.times;
  life.relay.shown = 'all';
  life.relay.taken = 'taken';
  life.boxesAre('given');
  life.crashAtNextWrite(null);
  await life.clockAhead(0);
  await life.network(true);
  await life.power('on');
  await life.pass(5 * blockMs);
  await alwaysHolds(life);
  const before = life.sent.length;
  for (let half = 0; half < 6; half += 1) {
    await life.pass(blockMs / 2);
    await life.announce(half % 3 === 2 ? 'bo' : 'ada');
    expect(life.epochs[life.epochs.length - 1]?.seen).toEqual(['opened']);
  }
  const published = life.sent.slice(before);
  expect(published.length).toBeGreaterThanOrEqual(2);
  expect(published.length).toBeLessThanOrEqual(4);
  const stepMs = Math.min(600_000, Math.max(250, blockMs / 16));
  for (const { record, atMs, fate } of published) {
    expect(fate).toBe('taken');
    expect(record.notBeforeMs - atMs).toBeLessThanOrEqual(blockMs / 2);
    expect(record.notBeforeMs - atMs).toBeGreaterThanOrEqual(blockMs / 4 - stepMs);
  }
  if (life.process?.ring.unopened.length !== 0) return;
  const opened = await life.openedByThief();
  for (const { statement } of life.epochs)
    if (life.trueNow() >= statement.blockEndMs + retentionMs + stepMs + PING_MS)
      expect(opened).not.toContain(statement.epoch);
}
