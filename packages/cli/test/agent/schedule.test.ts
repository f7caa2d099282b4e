import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  archived,
  byClock,
  decide,
  failed,
  MAX_BACKOFF_MS,
  NEW_TIMETABLE,
  periodAt,
  putOff,
  succeeded,
  type Timetable,
} from '../../src/agent/schedule.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2030, 0, 1, 12);
const schedules = fc
  .record({ everyMs: fc.integer({ min: 60_000, max: 40 * 24 * HOUR_MS }), minutes: fc.nat(1439) })
  .map(({ everyMs, minutes }) => ({ everyMs, offsetMs: (minutes * 60_000) % everyMs }));
/** How long it takes, how the clock is set meanwhile, and what comes of it, whenever there is something to do. */
const rounds = fc.array(
  fc.record({
    lastsMs: fc.integer({ min: 0, max: 3 * HOUR_MS }),
    setMs: fc.oneof(fc.constant(0), fc.integer({ min: -400 * 24 * HOUR_MS, max: 400 * 24 * HOUR_MS })),
    result: fc.constantFrom('done' as const, 'failed' as const, 'left' as const, 'put-off' as const),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { maxLength: 40 },
);

test('a run is due at the time of day, once in each period', () => {
  const daily = { everyMs: 24 * HOUR_MS, offsetMs: 2.5 * HOUR_MS };
  expect(new Date(periodAt(daily, START_MS)).toISOString()).toBe('2030-01-01T02:30:00.000Z');
  expect(decide(daily, NEW_TIMETABLE, { nowMs: START_MS, hasWork: false })).toEqual({
    kind: 'run',
    isDue: true,
  });
  const table = succeeded(archived(daily, NEW_TIMETABLE, START_MS));
  expect(decide(daily, table, { nowMs: START_MS, hasWork: false })).toEqual({
    kind: 'wait',
    ms: 14.5 * HOUR_MS,
  });
  // Broken off in between: what was begun is gone on with at once, and nothing new begun.
  expect(decide(daily, table, { nowMs: START_MS, hasWork: true })).toEqual({ kind: 'run', isDue: false });
});

test('however the clock is set and whatever fails, no wait is too long, and one due run makes up for all missed', () => {
  fc.assert(
    fc.property(schedules, rounds, (schedule, all) => {
      let nowMs = START_MS;
      let table: Timetable = NEW_TIMETABLE;
      let hasWork = false;
      for (const { lastsMs, setMs, result, random } of all) {
        table = byClock(schedule, table, nowMs);
        const decision = decide(schedule, table, { nowMs, hasWork });
        if (decision.kind === 'wait') {
          expect(decision.ms).toBeGreaterThan(0);
          expect(decision.ms).toBeLessThanOrEqual(Math.max(schedule.everyMs, MAX_BACKOFF_MS));
          nowMs += decision.ms + setMs;
          continue;
        }
        // Each period has one, if nobody sets the clock back.
        if (decision.isDue) expect(table.doneMs ?? -Infinity).toBeLessThan(periodAt(schedule, nowMs));
        if (result !== 'failed' && decision.isDue) table = archived(schedule, table, nowMs);
        nowMs += lastsMs;
        if (result === 'done') table = succeeded(table);
        else if (result === 'put-off') table = putOff(table);
        else table = failed(table, nowMs, random);
        hasWork = result === 'left' || (hasWork && result !== 'done');
        nowMs += setMs;
      }
      // From here on the clock runs as it should and all goes well: what is due is done within a period and a backoff.
      table = byClock(schedule, table, nowMs);
      const endMs = nowMs + schedule.everyMs + MAX_BACKOFF_MS;
      let due = 0;
      for (let turns = 0; turns < 20 && nowMs <= endMs; turns += 1) {
        table = byClock(schedule, table, nowMs);
        const decision = decide(schedule, table, { nowMs, hasWork: false });
        if (decision.kind === 'wait') nowMs += decision.ms;
        else {
          if (decision.isDue) {
            due += 1;
            table = archived(schedule, table, nowMs);
          }
          table = succeeded(table);
        }
      }
      expect(due).toBeGreaterThanOrEqual(1);
      expect(due).toBeLessThanOrEqual(2 + Math.ceil(MAX_BACKOFF_MS / schedule.everyMs));
    }),
    { seed: 20300101, numRuns: 300 },
  );
});

test('it is tried again later each time, at most after an hour, and not by all at once', () => {
  let table: Timetable = NEW_TIMETABLE;
  const waits: number[] = [];
  for (let turn = 0; turn < 10; turn += 1) {
    table = failed(table, START_MS, 1);
    waits.push(((table.retryAtMs ?? 0) - START_MS) / 1000);
  }
  expect(waits).toEqual([30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
  expect(failed(table, START_MS, 0).retryAtMs).toBe(START_MS + 1_800_000);
  // Set back by a year meanwhile.
  expect(
    byClock({ everyMs: HOUR_MS, offsetMs: 0 }, table, START_MS - 365 * 24 * HOUR_MS).retryAtMs,
  ).toBeLessThanOrEqual(START_MS - 365 * 24 * HOUR_MS + MAX_BACKOFF_MS);
  expect(succeeded(table)).toMatchObject({ failures: 0, retryAtMs: null });
});
