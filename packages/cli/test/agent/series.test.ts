import { expect, test } from 'vitest';
import {
  abandon,
  begin,
  distrust,
  finish,
  hasWork,
  NEW_SERIES,
  refuse,
  settle,
  startOver,
} from '../../src/agent/series.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2030, 0, 1, 2, 30);
const done = { isEverywhere: true, isTold: true };

function days(count: number, from = NEW_SERIES) {
  let series = from;
  for (let day = 0; day < count; day += 1) series = finish(begin(series, START_MS + day * DAY_MS, 2));
  return series;
}

test('each goes on from the one before, and after so many comes a full one', () => {
  expect(days(5).pending.map(({ name, previous }) => [name, previous])).toEqual([
    ['20300101T023000Z-full', null],
    ['20300102T023000Z-since', '20300101T023000Z-full'],
    ['20300103T023000Z-since', '20300102T023000Z-since'],
    ['20300104T023000Z-full', null],
    ['20300105T023000Z-since', '20300104T023000Z-full'],
  ]);
});

test('who tells the relay of one has told of those before; each is there until it is at every destination', () => {
  const series = days(3);
  const [a = '', b = '', c = ''] = series.pending.map(({ name }) => name);
  const later = settle(settle(series, a, { ...done, isTold: false }), b, { ...done, isEverywhere: false });
  expect(later.pending.map(({ name, isTold }) => [name, isTold])).toEqual([
    [b, true],
    [c, false],
  ]);
  expect(settle(later, b, done).pending.map(({ name }) => name)).toEqual([c]);
  // A copy of an older one that is made good later: the next still goes on from the newest.
  const both = settle(settle(series, b, { ...done, isEverywhere: false }), a, done);
  expect(both.told).toBe(b);
  expect(hasWork(settle(settle(later, b, done), c, done))).toBe(false);
});

test('what cannot be relied on, and what goes on from it, is made up for from what was told, or by a full one', () => {
  const series = days(3);
  const [a = '', b = ''] = series.pending.map(({ name }) => name);
  const fewer = distrust(series, b);
  expect(fewer.pending.map(({ name }) => name)).toEqual([a]);
  expect(begin(fewer, START_MS, 2).current).toMatchObject({ previous: null });
  const told = settle(series, a, done);
  expect(begin(distrust(told, b), START_MS, 3).current).toMatchObject({ previous: a });
  const left = abandon(begin(told, START_MS, 3));
  expect(left).toMatchObject({ current: null, last: a, pending: told.pending });
  expect(begin(startOver(left), START_MS, 3).current).toMatchObject({ previous: null });
});

test('what is not sound is made anew after 0, 1, 3, 7… that go on from it, and all are at most three times the log', () => {
  const told = settle(days(1), '20300101T023000Z-full', done);
  const base = told.told;
  let series = told;
  let sum = 0;
  let anew = 0;
  const lengths = new Map<string | null, number>([[base, 0]]);
  const made: string[] = [];
  for (let day = 1; day <= 200; day += 1) {
    series = begin(series, START_MS + day * DAY_MS, 0);
    const { name = '', previous = null, isBehind = null } = series.current ?? {};
    // An entry a day: each has those since the one that it goes on from.
    lengths.set(name, day);
    sum += day - (lengths.get(previous) ?? NaN);
    expect(sum).toBeLessThanOrEqual(3 * day);
    expect(isBehind).toBe(previous !== base);
    if (isBehind === false) anew += 1;
    made.push(isBehind === true ? 'behind' : 'anew');
    series = finish(series);
    series = isBehind === true ? settle(series, name, { ...done, isTold: false }) : refuse(series, name);
    expect(series).toMatchObject({ told: base, last: name, pending: [] });
  }
  expect(made.slice(0, 5)).toEqual(['anew', 'anew', 'behind', 'anew', 'behind']);
  expect(anew).toBe(8);
  // When one is sound, what comes next is as ever.
  while (series.current?.isBehind !== false) series = begin(series, START_MS + 400 * DAY_MS, 0);
  const good = settle(finish(series), series.current.name, done);
  expect(good).toMatchObject({ unsound: null, failed: 0, pending: [], told: series.current.name });
  expect(begin(good, START_MS + 401 * DAY_MS, 0).current).toMatchObject({ previous: good.told });
});

test('what goes on from one that is not sound is not told of, whenever it was made', () => {
  const series = begin(days(2), START_MS + 2 * DAY_MS, 9);
  const [first = '', second = ''] = series.pending.map(({ name }) => name);
  const refused = refuse(series, first);
  expect(refused).toMatchObject({ unsound: first, pending: [{ name: second, isBehind: true }] });
  expect(finish(refused).pending.at(-1)).toMatchObject({ isBehind: true, isTold: false });
  // One of those that is not sound either is made up for with them all.
  expect(refuse(refused, second)).toMatchObject({ unsound: first, failed: 1, pending: [] });
  expect(abandon(refused).last).toBe(second);
  expect(begin(startOver(refused), START_MS, 9).current).toMatchObject({ previous: null, isBehind: false });
});

test('without a number only the first is full', () => {
  let series = NEW_SERIES;
  for (let day = 0; day < 9; day += 1) series = finish(begin(series, START_MS + day * DAY_MS, 0));
  expect(series.pending.filter(({ previous }) => previous === null)).toHaveLength(1);
});
