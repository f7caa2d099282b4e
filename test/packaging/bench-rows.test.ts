import { expect, test } from 'vitest';
import { contest, type Contestant } from '../../bench/src/contest.ts';
import { growthRows } from '../../bench/src/directory/growth.ts';
import type { SizedMeasured } from '../../bench/src/directory/size-rows.ts';
import { contestRows } from '../../bench/src/rows.ts';

const work = { bench: 'b', work: 'w', n: 1, unit: 'ms' };

test('a ratio is larger for the faster, round by round, and is held against its goal', () => {
  const samples = { ours: [1, 10, 2], slow: [3, 20, 8], fast: [0.5, 5, 1] };
  const rows = contestRows(work, samples, {
    ours: 'ours',
    valueOf: (ms) => ms * 2,
    goals: { slow: 3, fast: 0.6 },
  });
  expect(rows.map(({ against, ratio, goal, met }) => ({ against, ratio, goal, met }))).toEqual([
    { against: 'slow', ratio: 3, goal: 3, met: true },
    { against: 'fast', ratio: 0.5, goal: 0.6, met: false },
    { against: null, ratio: null, goal: null, met: null },
    { against: null, ratio: null, goal: null, met: null },
  ]);
  expect(rows.map(({ work: name, value, min, max }) => ({ name, value, min, max }))).toEqual([
    { name: 'w', value: 4, min: 2, max: 20 },
    { name: 'w', value: 4, min: 2, max: 20 },
    { name: 'w: slow', value: 16, min: 6, max: 40 },
    { name: 'w: fast', value: 2, min: 1, max: 10 },
  ]);
});

test('everyone plays every round, and only what is timed counts', async () => {
  let clockMs = 0;
  const played: string[] = [];
  const player = (name: string, workMs: number): Contestant => ({
    name,
    async round(time) {
      clockMs += 100;
      await time(() => (clockMs += workMs));
      clockMs += 100;
      played.push(name);
    },
  });
  const options = { rounds: 3, warmUps: 1, now: () => clockMs };
  expect(await contest([player('a', 1), player('b', 2)], options)).toEqual({ a: [1, 1, 1], b: [2, 2, 2] });
  expect(played.filter((name) => name === 'a').length).toBe(4);
  for (let round = 0; round < 4; round += 1)
    expect(new Set(played.slice(2 * round, 2 * round + 2)).size).toBe(2);

  const lazy: Contestant = { name: 'lazy', async round() {} };
  await expect(contest([lazy], options)).rejects.toThrow('lazy timed nothing');
});

test('what grows faster than it may is not met, and one size says nothing of growth', () => {
  const at = (devices: number, lookupBytes: number, loginMs: number): SizedMeasured => ({
    devices,
    entries: 2 * devices,
    dayEntries: devices / 10,
    lookupBytes,
    inclusionBytes: 0,
    noteBytes: 0,
    cosignatureBytes: 0,
    peerBytes: 0,
    verifyMs: { keytide: [1] },
    replayMs: [devices],
    startMs: 1,
    replayPeakBytes: 0,
    firstLoginMs: 1,
    firstLookMs: 1,
    relayBytes: 1,
    appendMs: [devices],
    loginMs: [loginMs],
    loginBytes: [1],
    proofMs: [1],
    proofBytes: [1],
  });
  expect(growthRows([at(100, 300, 1)])).toEqual([]);
  const rows = growthRows([at(100, 300, 1), at(10_000, 601, 100)]);
  const row = (name: string) => rows.find(({ work: title }) => title.endsWith(`: ${name}`));
  expect(row('a lookup, B')).toMatchObject({ value: 601 / 300, against: 'log n: 2.00 times', met: false });
  expect(row('log-in by replay, ms')).toMatchObject({ value: 100, ratio: 1, met: true });
  expect(row('append an entry, ms')).toMatchObject({ value: 1, ratio: 2, met: true });
});
