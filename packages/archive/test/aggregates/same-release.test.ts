import type { AggregatePlan } from '@keytide/archive/aggregates';
import { expect, test } from 'vitest';
import { dimensionsOf, planOf, recordsOf, release } from './world.ts';

/**
 * The strongest reader there is: knows the rules, the plan and everything published, and tries every dataset there
 * could be. What it cannot tell apart is all datasets with the same release.
 */
function indistinguishable(
  sizes: readonly number[],
  most: number,
  more: Partial<AggregatePlan>,
): number[][][] {
  const plan = planOf(sizes, { ...more, acceptSmallerK: true });
  const cells = sizes.reduce((product, size) => product * size, 1);
  const alike = new Map<string, number[][]>();
  for (let records = 0; records <= most; records += 1) {
    for (const counts of spread(records, cells)) {
      const { atoms } = release(plan, recordsOf(sizes, counts));
      const key = JSON.stringify(atoms);
      alike.set(key, [...(alike.get(key) ?? []), counts]);
    }
  }
  return [...alike.values()];
}

/** Every way to put so many records into so many cells. */
function* spread(records: number, cells: number): Generator<number[]> {
  if (cells === 1) return yield [records];
  for (let first = 0; first <= records; first += 1)
    for (const rest of spread(records - first, cells - 1)) yield [first, ...rest];
}

/** For every set of cells, whatever query could ask for it: what it may add up to. */
function* possibleValues(datasets: readonly (readonly number[])[]): Generator<ReadonlySet<number>> {
  const cells = datasets[0]?.length ?? 0;
  for (let set = 1; set < 2 ** cells; set += 1)
    yield new Set(
      datasets.map((counts) => counts.reduce((sum, count, i) => sum + ((set >> i) & 1) * count, 0)),
    );
}

const longestRun = (values: ReadonlySet<number>): number =>
  Math.max(
    ...[...values].map((start) => {
      let end = start;
      while (values.has(end)) end += 1;
      return end - start;
    }),
  );

test.each([
  { sizes: [5], most: 11 },
  { sizes: [2, 2], most: 12 },
  { sizes: [3, 2], most: 9 },
  { sizes: [2, 3], most: 9 },
  { sizes: [2, 2, 2], most: 7 },
])(
  'knowing all rules and all numbers, k values stay possible for what is withheld: $sizes',
  ({ sizes, most }) => {
    const k = 3;
    const alike = indistinguishable(sizes, most, { k });
    let [told, withheld] = [0, 0];
    for (const datasets of alike) {
      for (const values of possibleValues(datasets)) {
        if (values.size === 1) {
          told += 1;
          expect([...values][0]).toBeGreaterThanOrEqual(k);
        } else {
          withheld += 1;
          expect(longestRun(values)).toBeGreaterThanOrEqual(k);
        }
      }
    }
    expect(told).toBeGreaterThan(alike.length - 2);
    expect(withheld).toBeGreaterThan(alike.length);
  },
);

test('two views together tell no more of what either withholds, nor of what is in neither', () => {
  const [k, sizes] = [3, [2, 2]];
  const views = dimensionsOf(sizes).map((dimension) => ({ name: dimension.field, dimensions: [dimension] }));
  const alike = indistinguishable(sizes, 12, { k, views });
  let open = 0;
  for (const datasets of alike) {
    for (const values of possibleValues(datasets)) {
      if (values.size > 1) open += 1;
      if (values.size === 1) expect([...values][0]).toBeGreaterThanOrEqual(k);
      else expect(values.size).toBeGreaterThanOrEqual(k);
    }
  }
  expect(open).toBeGreaterThan(alike.length);
});

test('rounding tells no datasets apart that are alike without it', () => {
  const sizes = [2, 2];
  const rounded = planOf(sizes, { k: 4, roundTo: 3, acceptSmallerK: true });
  const alike = indistinguishable(sizes, 12, { k: 4 });
  const seen = alike.map(
    (datasets) =>
      new Set(datasets.map((counts) => JSON.stringify(release(rounded, recordsOf(sizes, counts)).atoms))),
  );
  expect(Math.max(...seen.map(({ size }) => size))).toBe(1);
  expect(new Set(seen.map((releases) => [...releases][0])).size).toBeLessThan(alike.length / 2);
});
