import { percentile, tabulate } from '@keytide/archive/aggregates';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { geometricNoise } from '../../src/aggregates/noise.ts';
import { planOf, recordsOf, release, repeatable } from './world.ts';

describe('rounding', () => {
  test('is less than its base off for each cell and for the total, and nothing contradicts anything', () => {
    const counts = fc.array(fc.integer({ min: 10, max: 99 }), { minLength: 6, maxLength: 6 });
    const bases = fc.constantFrom(1, 3, 5, 10);
    fc.assert(
      fc.property(counts, bases, (exact, roundTo) => {
        const made = release(planOf([3, 2], { roundTo }), recordsOf([3, 2], exact));
        const cells = tabulate(made, { view: 'all', by: [{ field: 'a' }, { field: 'b' }] }).cells;
        const rows = tabulate(made, { view: 'all', by: [{ field: 'a' }] }).cells;
        const [total] = tabulate(made, { view: 'all' }).cells;
        const shown = cells.map(({ numbers }) => numbers?.count ?? Number.NaN);
        expect(rows.map(({ numbers }) => numbers?.count)).toEqual(
          [0, 2, 4].map((at) => (shown[at] ?? 0) + (shown[at + 1] ?? 0)),
        );
        expect(total?.numbers?.count).toBe(shown.reduce((sum, count) => sum + count, 0));
        for (const [cell, count] of shown.entries()) {
          expect(count % roundTo).toBe(0);
          expect(Math.abs(count - (exact[cell] ?? 0))).toBeLessThan(roundTo);
        }
        const sum = exact.reduce((before, count) => before + count, 0);
        expect(Math.abs((total?.numbers?.count ?? 0) - sum)).toBeLessThanOrEqual(roundTo / 2);
      }),
      { numRuns: 100, seed: 22 },
    );
  });
});

describe('noise', () => {
  test('has the probabilities of two-sided geometric noise', () => {
    const [draws, epsilonMilli, sensitivity] = [10_000, 900, 2];
    const random = repeatable('noise');
    const seen = new Map<number, number>();
    for (let draw = 0; draw < draws; draw += 1) {
      const value = geometricNoise(random, epsilonMilli, sensitivity);
      seen.set(value, (seen.get(value) ?? 0) + 1);
    }
    const alpha = Math.exp(-epsilonMilli / 1000 / sensitivity);
    let squares = 0;
    for (let value = -8; value <= 8; value += 1) {
      const expected = (draws * (1 - alpha) * alpha ** Math.abs(value)) / (1 + alpha);
      squares += ((seen.get(value) ?? 0) - expected) ** 2 / expected;
    }
    // 17 cells: by chance over 46 in one of 10,000 runs, and this one is always the same.
    expect(squares).toBeLessThan(46);
  });

  test('of a large sensitivity is as large, and in whole numbers', () => {
    const random = repeatable('large');
    const values = Array.from({ length: 200 }, () => geometricNoise(random, 1000, 2 ** 38));
    expect(values.every((value) => Number.isSafeInteger(value))).toBe(true);
    const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
    expect(mean / 2 ** 38).toBeGreaterThan(0.8);
    expect(mean / 2 ** 38).toBeLessThan(1.2);
  });

  test('is in what is published, and never below 0', () => {
    const noisy = planOf([3], { epsilonMilli: 10 });
    const counts = release(noisy, recordsOf([3], [20, 20, 20])).atoms[0]?.map(({ count }) => count) ?? [];
    expect(counts).not.toEqual([20, 20, 20]);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(0);
  });
});

test('noise is as large as what one contributor can change', () => {
  const records = recordsOf(
    [8],
    Array.from({ length: 8 }, () => 20),
  ).map((record, who) => ({ ...record, who }));
  const largest = (atMost: number): number => {
    const plan = planOf([8], { epsilonMilli: 1000, contributor: { field: 'who', atMost } });
    return Math.max(...(release(plan, records).atoms[0] ?? []).map(({ count }) => count));
  };
  expect(largest(1)).toBeLessThan(40);
  expect(largest(100_000)).toBeGreaterThan(10_000);
});

describe('the p% rule', () => {
  test('lets nothing be published that one contributor makes up, nor by what is left at the end', () => {
    const amounts = [...Array.from({ length: 24 }, () => 10), 400];
    const records = amounts.map((minutes, index) => ({ at: 1, a: `a${Math.floor(index / 12)}`, minutes }));
    const boxes = (dominancePercent: number) =>
      release(
        planOf([3], { measures: [{ field: 'minutes', max: 500 }], dominancePercent }),
        records,
      ).atoms[0]?.map(({ box, sums }) => [box[0], sums[0]]);
    expect(boxes(10)).toEqual([
      [[0, 1], 120],
      [[1, 3], 520],
    ]);
    expect(boxes(50)).toEqual([[[0, 3], 640]]);
    expect(boxes(60)).toEqual([]);
  });
});

describe('a sum', () => {
  /** Of 24 people, so many in each of two places have children; k is 4. */
  const boxes = (first: number, second: number) => {
    const measures = [{ field: 'children', max: 3 }];
    const records = Array.from({ length: 24 }, (_, person) => {
      const place = person < 12 ? 0 : 1;
      return { at: 1, a: `a${place}`, children: Number(person % 12 < [first, second][place]!) };
    });
    const plan = planOf([2], { k: 4, acceptSmallerK: true, dominancePercent: 1, measures });
    return release(plan, records).atoms[0]?.map(({ box, sums }) => [box[0], sums[0]]);
  };

  test('is of k people at least who add to it: it does not tell how few have what it counts', () => {
    expect(boxes(4, 5)).toEqual([
      [[0, 1], 4],
      [[1, 2], 5],
    ]);
    expect(boxes(3, 5)).toEqual([[[0, 2], 8]]);
    expect(boxes(3, 0)).toEqual([]);
  });
});

test('a count that one contributor makes up is not told', () => {
  const of = (who: number, place: number, times: number) =>
    Array.from({ length: times }, () => ({ at: 1, a: `a${place}`, who }));
  const records = Array.from({ length: 24 }, (_, who) => of(who, Math.floor(who / 12), who === 0 ? 200 : 1));
  const plan = planOf([2], { contributor: { field: 'who', atMost: 300 } });
  const counts = release(plan, records.flat()).atoms[0]?.map(({ count }) => count);
  expect(counts).toEqual([223]);
});

describe('a percentile', () => {
  const cuts = [10, 20, 30, 40];

  test('lies where it is said to', () => {
    const records = fc.array(
      fc.record({ at: fc.constant(1), a: fc.constantFrom('a0', 'a1'), minutes: fc.nat(50) }),
      { minLength: 10, maxLength: 120 },
    );
    const view = {
      name: 'all',
      dimensions: [
        { field: 'a', categories: ['a0', 'a1'] },
        { field: 'minutes', cuts },
      ],
    };
    let told = 0;
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 100 }), fc.boolean(), (found, percent, isFiltered) => {
        const made = release(planOf([1], { views: [view] }), found);
        const where = isFiltered ? [{ field: 'a', labels: ['a1'] }] : [];
        const range = percentile(made, { view: 'all', field: 'minutes', percent, where });
        const of = found.filter(({ a }) => !isFiltered || a === 'a1').map(({ minutes }) => minutes);
        if (range === null) {
          expect(isFiltered).toBe(true);
          return;
        }
        told += 1;
        const exact = of.toSorted((a, b) => a - b)[Math.ceil((of.length * percent) / 100) - 1] ?? Number.NaN;
        expect(exact).toBeGreaterThanOrEqual(range.from ?? -Infinity);
        expect(exact).toBeLessThan(range.to ?? Infinity);
      }),
      { numRuns: 200, seed: 23 },
    );
    expect(told).toBeGreaterThan(100);
  });

  test('is between two cuts where there is enough, and withheld where there is not', () => {
    const view = { name: 'all', dimensions: [{ field: 'minutes', cuts }] };
    const records = Array.from({ length: 50 }, (_, minutes) => ({ at: 1, minutes }));
    const made = release(planOf([1], { views: [view] }), records);
    expect(percentile(made, { view: 'all', field: 'minutes', percent: 50 })).toEqual({ from: 20, to: 30 });
    expect(percentile(made, { view: 'all', field: 'minutes', percent: 100 })).toEqual({ from: 40, to: null });
    const places = { field: 'a', categories: ['a0', 'a1'] };
    const crossed = { name: 'all', dimensions: [places, ...view.dimensions] };
    const byPlace = release(
      planOf([1], { views: [crossed] }),
      records.map((record) => ({ ...record, a: record.minutes < 45 ? 'a0' : 'a1' })),
    );
    const median = { view: 'all', field: 'minutes', percent: 50 };
    expect(percentile(byPlace, median)).toEqual({ from: 20, to: 30 });
    expect(percentile(byPlace, { ...median, where: [{ field: 'a', labels: ['a1'] }] })).toBeNull();
    const few = release(planOf([1], { views: [view] }), records.slice(0, 9));
    expect(percentile(few, { view: 'all', field: 'minutes', percent: 50 })).toBeNull();
  });
});
