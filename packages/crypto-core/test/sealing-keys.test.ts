import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  boxRecordsAt,
  concatBytes,
  deviceId,
  requireNextSealingRecord,
  sealingKeysToDelete,
  sealingRecordAt,
  uint32Bytes,
  type AddressedBox,
  type SealingRecord,
  type SealingTimes,
} from '@keytide/crypto-core';
import { codeOf } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';

const HOUR_MS = 3_600_000;
const BLOCK_MS = 24 * HOUR_MS;
const times: SealingTimes = { blockMs: BLOCK_MS, retentionMs: 7 * BLOCK_MS, graceMs: BLOCK_MS };
const random = seededRandom('sealing keys');
const device = deviceId(random(32));

/** A record from hour to hour; its key is only told apart, never used. */
const record = (fromHour: number, toHour: number, key = random(1216)): SealingRecord => ({
  device,
  publicKey: key,
  notBeforeMs: fromHour * HOUR_MS,
  notAfterMs: toHour * HOUR_MS,
});

describe('the next sealing record', () => {
  const [first, second] = [record(100, 124), record(124, 148)];
  const codeFor = (next: SealingRecord, publishedHour: number, records = [first, second]) =>
    codeOf(() => requireNextSealingRecord(records, next, publishedHour * HOUR_MS, times));

  test('follows the one before, at once or after a gap, and up to a block ahead', () => {
    expect(codeFor(record(148, 172), 140)).toBeNull();
    expect(codeFor(record(148, 149), 124)).toBeNull();
    expect(codeFor(record(300, 310), 300)).toBeNull();
    expect(codeFor(record(300, 324), 276)).toBeNull();
  });
  test.each<[string, SealingRecord, number, string]>([
    ['overlaps the one before', record(147, 170), 140, 'bad-validity'],
    ['comes before the one before', record(90, 99), 80, 'bad-validity'],
    ['is backdated', record(299, 310), 300, 'bad-validity'],
    ['starts more than a block ahead', record(325, 326), 300, 'bad-validity'],
    ['lasts longer than a block', record(300, 325), 300, 'bad-validity'],
    ['ends before it starts', record(300, 300), 300, 'bad-validity'],
    ['has the key of the one before', record(300, 324, second.publicKey), 300, 'bad-key'],
    ['has the key of an older one', record(300, 324, first.publicKey), 300, 'bad-key'],
    ['is another device’s', { ...record(300, 324), device: deviceId(random(32)) }, 300, 'wrong-context'],
  ])('that %s is refused', (_, next, publishedHour, code) => {
    expect(codeFor(next, publishedHour)).toBe(code);
  });
  test('may be older than its entry when it is the first, for somebody has to let the device in', () => {
    expect(codeFor(record(300, 324), 310, [])).toBeNull();
    expect(codeFor(record(299, 323), 324, [])).toBe('bad-validity');
  });
});

describe('the key to seal to', () => {
  const [first, second, third] = [record(100, 124), record(130, 154), record(154, 178)];
  const chosenAt = (hour: number) => sealingRecordAt([first, second, third], hour * HOUR_MS, times);

  test.each<[string, number, 'in-force' | 'grace', SealingRecord]>([
    ['at its start', 130, 'in-force', second],
    ['until its successor starts', 153.999, 'in-force', second],
    ['is the successor then', 154, 'in-force', third],
    ['in a gap is the one that has ended', 129, 'grace', first],
    ['after the last is the last, for the grace', 201.999, 'grace', third],
    ['before the first, by another clock, is the first', 99, 'in-force', first],
  ])('%s', (_, hour, kind, chosen) => {
    expect(chosenAt(hour)).toEqual({ kind, record: chosen });
  });
  test('is none when the grace is over: the device is silent', () => {
    const silent = { kind: 'silent', code: 'sealing-key-expired', sinceMs: 178 * HOUR_MS };
    expect(chosenAt(202)).toEqual(silent);
    expect(sealingRecordAt([first], 124 * HOUR_MS, { ...times, graceMs: 0 }).kind).toBe('silent');
  });
});

describe('the keys that a box can be sealed to', () => {
  const records = [100, 124, 148, 172, 196, 220].map((hour) => record(hour, hour + 24));
  const triedAt = (hour: number) => boxRecordsAt(records, hour * HOUR_MS).map((one) => records.indexOf(one));

  test('are those that have started, the newest first, and the first before it has', () => {
    expect(triedAt(148)).toEqual([2, 1, 0]);
    expect(triedAt(147.999)).toEqual([1, 0]);
    expect(triedAt(99)).toEqual([0]);
  });
  test('are at most four', () => {
    expect(triedAt(10_000)).toEqual([5, 4, 3, 2]);
  });
  test('begin with the one that an author chooses who knows all of them', () => {
    const [first, ...rest] = records as [SealingRecord, ...SealingRecord[]];
    for (const hour of [99, 100, 147, 148, 190, 243]) {
      const chosen = sealingRecordAt([first, ...rest], hour * HOUR_MS, times);
      expect(chosen).toMatchObject({ record: boxRecordsAt(records, hour * HOUR_MS)[0] });
    }
  });
});

describe('deleting sealing keys', () => {
  const [old, young] = [record(0, 24), record(24, 48)];
  const deletedAt = (
    nowHour: number,
    syncedHour: number,
    unopened: AddressedBox[] = [],
    records = [old, young],
  ) =>
    sealingKeysToDelete({
      ...times,
      records,
      unopened,
      syncedMs: syncedHour * HOUR_MS,
      nowMs: nowHour * HOUR_MS,
    }).map((deleted) => records.indexOf(deleted));

  test('waits a block after the successor has started, and for the relay to be asked since', () => {
    expect(deletedAt(47.999, 47.999)).toEqual([]);
    expect(deletedAt(48, 48)).toEqual([0]);
    expect(deletedAt(60, 47.999)).toEqual([]);
  });
  test('waits for boxes that are not opened, until they expire', () => {
    const box = { publicKey: old.publicKey, endMs: 2 * BLOCK_MS };
    expect(deletedAt(49, 49, [box])).toEqual([]);
    expect(deletedAt(8 * 24 - 0.001, 49, [box])).toEqual([]);
    // It opens what was sealed to it in its first block too, and that has expired.
    expect(deletedAt(8 * 24, 49, [box])).toEqual([0]);
    expect(deletedAt(49, 49, [{ ...box, endMs: 49 * HOUR_MS - 7 * BLOCK_MS }])).toEqual([0]);
    expect(deletedAt(49, 49, [{ ...box, publicKey: young.publicKey }])).toEqual([0]);
  });
  test('happens offline too, once the first that can be sealed to the key has expired', () => {
    expect(deletedAt(24 * 8 - 0.001, 0)).toEqual([]);
    expect(deletedAt(24 * 8, 0)).toEqual([0]);
    // A key that starts within a block is first used for an epoch of that block, and not of the one before.
    expect(deletedAt(24 * 8, 0, [], [record(5, 29)])).toEqual([0]);
    expect(deletedAt(24 * 9 - 0.001, 0, [], [record(24, 48)])).toEqual([]);
  });
  test('waits for the grace where no successor was published', () => {
    expect(deletedAt(71.999, 71.999, [], [old])).toEqual([]);
    expect(deletedAt(72, 72, [], [old])).toEqual([0]);
  });

  test('keeps an honest device able to open what it may, and a thief unable to open what it may not (property)', () => {
    const plan = fc.record({
      graceBlocks: fc.nat(4),
      retentionBlocks: fc.integer({ min: 1, max: 10 }),
      /** What the device is from one hour on: connected, running without the relay, or switched off. */
      device: fc.array(fc.tuple(fc.nat(700), fc.constantFrom('online', 'offline', 'off')), { maxLength: 8 }),
      /** When an epoch is made, how old a membership log its author has, and how late the relay gives the box, in hours. */
      epochs: fc.array(fc.tuple(fc.nat(700), fc.nat(23), fc.constantFrom(0, 0, 0, 30, 100)), {
        maxLength: 40,
      }),
    });
    fc.assert(
      fc.property(plan, (chosen) => {
        const { opened, refused } = live(chosen);
        expect(opened).toBe(true);
        expect(refused).toBe(true);
      }),
      { seed: 20_261_121, numRuns: 150 },
    );
  });
});

interface Plan {
  readonly graceBlocks: number;
  readonly retentionBlocks: number;
  readonly device: readonly (readonly [hour: number, state: 'online' | 'offline' | 'off'])[];
  readonly epochs: readonly (readonly [hour: number, staleHours: number, lateHours: number])[];
}

/** Plays 900 hours of one device and its group, one tick every three hours. */
function live({ graceBlocks, retentionBlocks, device: states, epochs }: Plan) {
  const policy = {
    blockMs: BLOCK_MS,
    graceMs: graceBlocks * BLOCK_MS,
    retentionMs: retentionBlocks * BLOCK_MS,
  };
  const published: { record: SealingRecord; atMs: number }[] = [];
  /** By their public keys. */
  const secrets = new Set<Uint8Array>();
  const boxes: (AddressedBox & { madeMs: number; givenMs: number; isOpened: boolean })[] = [];
  let syncedMs = 0;
  let state: Plan['device'][number][1] = 'online';
  let [opened, refused] = [true, true];
  const publish = (nowMs: number): void => {
    const last = published.at(-1)?.record;
    const fromMs = Math.max(nowMs, last?.notAfterMs ?? 0);
    if (fromMs > nowMs + BLOCK_MS / 2) return;
    const publicKey = concatBytes(uint32Bytes(published.length), new Uint8Array(1212));
    const toMs = (Math.floor(fromMs / BLOCK_MS) + 1) * BLOCK_MS;
    const next = { device, publicKey, notBeforeMs: fromMs, notAfterMs: toMs };
    requireNextSealingRecord(
      published.map((one) => one.record),
      next,
      nowMs,
      policy,
    );
    published.push({ record: next, atMs: nowMs });
    secrets.add(publicKey);
  };
  /** When the secret goes whatever is awaited: X after the first block in which its key can be used. */
  const lastMs = (publicKey: Uint8Array): number => {
    const one = published.find(({ record: { publicKey: own } }) => own === publicKey);
    const startMs = (one as (typeof published)[number]).record.notBeforeMs;
    return (Math.floor(startMs / BLOCK_MS) + 1) * BLOCK_MS + policy.retentionMs;
  };
  publish(0);
  for (let hour = 3; hour < 900; hour += 3) {
    const nowMs = hour * HOUR_MS;
    for (const [from, to] of states) if (from >= hour - 3 && from < hour) state = to;
    for (const [, staleHours, lateHours] of epochs.filter(([at]) => at >= hour - 3 && at < hour)) {
      const known = published.filter(({ atMs }) => atMs <= nowMs - staleHours * HOUR_MS);
      const records = (known.length === 0 ? published.slice(0, 1) : known).map((one) => one.record);
      const choice = sealingRecordAt(records as [SealingRecord], nowMs, policy);
      if (choice.kind === 'silent') continue;
      const { publicKey } = choice.record;
      const endMs = (Math.floor(nowMs / BLOCK_MS) + 1) * BLOCK_MS;
      const givenMs = nowMs + lateHours * HOUR_MS;
      boxes.push({ publicKey, endMs, madeMs: nowMs, givenMs, isOpened: false });
    }
    if (state === 'off') continue;
    const isUsable = (box: AddressedBox): boolean => nowMs < box.endMs + policy.retentionMs;
    if (state === 'online') {
      publish(nowMs);
      syncedMs = nowMs;
      for (const box of boxes.filter((one) => !one.isOpened && isUsable(one) && nowMs >= one.givenMs)) {
        if (!secrets.has(box.publicKey) && nowMs < lastMs(box.publicKey)) opened = false;
        box.isOpened = true;
      }
    }
    const records = published.map((one) => one.record);
    const unopened = boxes.filter((one) => !one.isOpened && one.madeMs <= syncedMs);
    for (const { publicKey } of sealingKeysToDelete({ ...policy, records, unopened, syncedMs, nowMs }))
      secrets.delete(publicKey);
    // Whatever is awaited or withheld: what is left opens nothing that has expired.
    for (const { publicKey, endMs } of boxes)
      if (secrets.has(publicKey) && nowMs >= endMs + policy.retentionMs) refused = false;
  }
  return { opened, refused };
}
