import { tabulate, type AggregatePlan, type TableQuery } from '@keytide/archive/aggregates';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bounds, cellsAsked, equationsOf, solver } from './attacker.ts';
import { planOf, recordsOf, release } from './world.ts';

const K = 10;

/** Sizes of one to three dimensions, and how many records each cell has: often few, sometimes many. */
const tables = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }).chain((sizes) => {
  const cells = sizes.reduce((product, size) => product * size, 1);
  const count = fc.oneof(fc.nat(4), fc.integer({ min: 5, max: 15 }), fc.integer({ min: 16, max: 60 }));
  return fc.record({
    sizes: fc.constant(sizes),
    counts: fc.array(count, { minLength: cells, maxLength: cells }),
  });
});

/** Any query of such a view: some dimensions, each whole or in groups, and some of the others filtered. */
const queriesOf = (sizes: readonly number[]): fc.Arbitrary<TableQuery> =>
  fc
    .tuple(
      ...sizes.map((size, index) => {
        const field = String.fromCharCode(97 + index);
        const labels = Array.from({ length: size }, (_, bin) => `${field}${bin}`);
        const some = fc.subarray(labels, { minLength: 1 });
        const groups = fc.tuple(some, fc.nat(3)).map(([chosen, cut]) => {
          const parts = [chosen.slice(0, cut), chosen.slice(cut)].filter((part) => part.length > 0);
          return parts.map((part, place) => ({ label: `g${place}`, labels: part }));
        });
        return fc.oneof(
          fc.constant({}),
          fc.constant({ by: { field } }),
          groups.map((made) => ({ by: { field, groups: made } })),
          some.map((chosen) => ({ where: { field, labels: chosen } })),
        );
      }),
    )
    .map((choices) => ({
      view: 'all',
      by: choices.flatMap((choice) => ('by' in choice ? [choice.by] : [])),
      where: choices.flatMap((choice) => ('where' in choice ? [choice.where] : [])),
    }));

const attacks = tables.chain(({ sizes, counts }) =>
  fc.record({
    sizes: fc.constant(sizes),
    counts: fc.constant(counts),
    queries: fc.array(queriesOf(sizes), { minLength: 1, maxLength: 12 }),
  }),
);

const sumOf = (counts: readonly number[], cells: ReadonlySet<number>): number =>
  [...cells].reduce((sum, cell) => sum + (counts[cell] ?? 0), 0);

test('all tables together give away nothing that is withheld, and what they say is true', () => {
  let [published, withheld] = [0, 0];
  fc.assert(
    fc.property(attacks, ({ sizes, counts, queries }) => {
      const made = release(planOf(sizes), recordsOf(sizes, counts));
      const asked = queries.map((query) => ({ query, table: tabulate(made, query) }));
      const equations = asked.flatMap(({ query, table }) => equationsOf(sizes, query, table));
      for (const { cells, count } of equations) expect(count).toBe(sumOf(counts, cells));

      const solve = solver(counts.length, equations);
      const { low, high } = bounds(counts.length, equations);
      for (const { query, table } of asked) {
        for (const { labels, numbers } of table.cells) {
          const cells = cellsAsked(sizes, query, labels);
          const answer = solve(cells);
          if (numbers === null) {
            withheld += 1;
            expect(answer).toBeNull();
          } else {
            published += 1;
            expect(answer).toBe(numbers.count);
            expect(numbers.count).toBeGreaterThanOrEqual(K);
          }
        }
      }
      for (const cell of counts.keys())
        if (solve(new Set([cell])) === null)
          expect((high[cell] ?? 0) - (low[cell] ?? 0)).toBeGreaterThanOrEqual(K);
    }),
    { numRuns: 300, seed: 20 },
  );
  expect(published).toBeGreaterThan(500);
  expect(withheld).toBeGreaterThan(500);
});

test('the difference of any two sums is that of at least k contributors, of whom none makes it up', () => {
  const records = fc.array(
    fc.record({
      a: fc.constantFrom('a0', 'a1', 'a2'),
      b: fc.constantFrom('b0', 'b1'),
      who: fc.integer({ min: 1, max: 12 }),
      minutes: fc.oneof(fc.nat(20), fc.nat(500)),
    }),
    { minLength: 10, maxLength: 90 },
  );
  const plan: AggregatePlan = planOf([3, 2], {
    k: 4,
    acceptSmallerK: true,
    measures: [{ field: 'minutes', max: 400 }],
    contributor: { field: 'who', atMost: 100 },
  });
  const subsets = (labels: readonly string[]): string[][] =>
    Array.from({ length: 2 ** labels.length - 1 }, (_, set) =>
      labels.filter((_label, bit) => ((set + 1) >> bit) & 1),
    );
  const queries = subsets(['a0', 'a1', 'a2']).flatMap((a) =>
    subsets(['b0', 'b1']).map((b) => [
      { field: 'a', labels: a },
      { field: 'b', labels: b },
    ]),
  );
  let differences = 0;
  fc.assert(
    fc.property(records, (found) => {
      const made = release(
        plan,
        found.map((record) => ({ ...record, at: 1 })),
      );
      const told = queries.flatMap((where) => {
        const [cell] = tabulate(made, { view: 'all', where }).cells;
        if (cell?.numbers === null || cell === undefined) return [];
        const of = found.filter((record) =>
          where.every(({ field, labels }) => labels.includes(record[field as 'a' | 'b'])),
        );
        expect(cell.numbers).toEqual({ count: of.length, sums: [sumOfMinutes(of)] });
        return [of];
      });
      for (const larger of [...told, found])
        for (const smaller of told) {
          const rest = larger.filter((record) => !smaller.includes(record));
          if (rest.length === 0 || rest.length + smaller.length > larger.length || told.length === 0)
            continue;
          differences += 1;
          const totals = new Map<number, number>();
          for (const { who, minutes } of rest)
            totals.set(who, (totals.get(who) ?? 0) + Math.min(400, minutes));
          const [first = 0, , ...others] = [...totals.values()].toSorted((x, y) => y - x);
          expect([...totals.values()].filter((amount) => amount > 0).length).toBeGreaterThanOrEqual(4);
          expect(others.reduce((sum, amount) => sum + amount, 0)).toBeGreaterThanOrEqual(first * 0.1);
        }
    }),
    { numRuns: 120, seed: 21 },
  );
  expect(differences).toBeGreaterThan(200);
});

function sumOfMinutes(records: readonly { readonly minutes: number }[]): number {
  return records.reduce((sum, { minutes }) => sum + Math.min(400, minutes), 0);
}
