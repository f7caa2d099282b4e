import {
  ArchiveError,
  openAggregateLedger,
  publishAggregates,
  tabulate,
  utcDays,
  type AggregatePlan,
  type AggregateRecord,
} from '@keytide/archive/aggregates';
import { describe, expect, test } from 'vitest';
import { DAY_MS, PERIOD, planOf, recordsOf, release, repeatable } from './world.ts';

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof ArchiveError) return error.code;
    throw error;
  }
  return 'accepted';
};

const publish = (
  plan: AggregatePlan,
  records: Iterable<AggregateRecord> = [],
  ledger = openAggregateLedger('requests'),
) => publishAggregates({ plan, records, ledger, nowMs: plan.period.to, random: repeatable('publish') });

const dimension = { field: 'a', categories: ['a0', 'a1'] };
const view = { name: 'all', dimensions: [dimension] };
const HOUR_MS = 3_600_000;
const minutes = { field: 'minutes', max: 100 };

describe('a plan', () => {
  test.each<[string, Partial<AggregatePlan>]>([
    ['a k under 10 that is not meant', { k: 9 }],
    ['a k of 2, meant or not', { k: 2, acceptSmallerK: true }],
    ['rounding to more than k', { roundTo: 11 }],
    ['a field in two views', { views: [view, { name: 'more', dimensions: [dimension] }] }],
    ['a field in two dimensions', { views: [{ name: 'all', dimensions: [dimension, dimension] }] }],
    ['two views of one name', { views: [view, { name: 'all', dimensions: [{ field: 'b', cuts: [1] }] }] }],
    ['a dimension that is summed', { measures: [{ field: 'a', max: 1 }] }],
    ['a time that is summed', { measures: [{ field: 'at', max: 1 }] }],
    ['a contributor that is a dimension', { contributor: { field: 'a', atMost: 1 } }],
    ['a contributor that is summed', { measures: [minutes], contributor: { field: 'minutes', atMost: 1 } }],
    ['a period that never is', { period: { ...PERIOD, to: 0 } }],
    ['a period that ends before it begins', { period: { ...PERIOD, from: 2 * DAY_MS } }],
    ['a period of less than a day', { period: { ...PERIOD, to: 22 * HOUR_MS } }],
    ['a period of more than five years', { period: { ...PERIOD, to: 1829 * DAY_MS } }],
    ['a period from no quarter of an hour', { period: { ...PERIOD, from: 1 } }],
    ['a period to no quarter of an hour', { period: { ...PERIOD, to: DAY_MS + 60_000 } }],
    ['a sum without a bound', { measures: [{ field: 'minutes', max: Infinity }] }],
    [
      'a bound too large for exact noise',
      { measures: [{ field: 'x', max: 1e9 }], contributor: { field: 'y', atMost: 1e6 } },
    ],
    ['no views', { views: [] }],
    ['a category twice', { views: [{ name: 'all', dimensions: [{ field: 'a', categories: ['x', 'x'] }] }] }],
    [
      'another that is not declared',
      { views: [{ name: 'all', dimensions: [{ ...dimension, other: 'z' }] }] },
    ],
    ['cuts that do not ascend', { views: [{ name: 'all', dimensions: [{ field: 'a', cuts: [2, 2] }] }] }],
    [
      'a label too few',
      { views: [{ name: 'all', dimensions: [{ field: 'a', cuts: [2], labels: ['one'] }] }] },
    ],
    ['too many cells', planOf([400, 400])],
    ['what is no setting', { epsilon: 1 } as Partial<AggregatePlan>],
  ])('with %s is refused', (_, more) => {
    expect(codeOf(() => publish({ ...planOf([2]), ...more }))).toBe('bad-plan');
  });

  test.each<[string, number, number]>([
    [
      'the day on which clocks are put forward',
      Date.UTC(2026, 2, 29) - HOUR_MS,
      Date.UTC(2026, 2, 30) - 2 * HOUR_MS,
    ],
    ['a day in Nepal', Date.UTC(2026, 0, 1) - 5.75 * HOUR_MS, Date.UTC(2026, 0, 2) - 5.75 * HOUR_MS],
    ['five years, two of them leap years', Date.UTC(2020, 0, 1), Date.UTC(2025, 0, 1)],
    ['a day before 1970', -DAY_MS, 0],
  ])('of %s is one', (_, from, to) => {
    expect(codeOf(() => publish({ ...planOf([2]), period: { field: 'at', from, to } }))).toBe('accepted');
  });

  test('of whole days has their names; another is refused', () => {
    const period = { from: Date.UTC(2016, 1, 28), to: Date.UTC(2016, 2, 1) };
    expect(utcDays('at', period)).toEqual({
      field: 'at',
      cuts: [Date.UTC(2016, 1, 29)],
      labels: ['2016-02-28', '2016-02-29'],
    });
    expect(codeOf(() => utcDays('at', { ...period, to: period.to - 1 }))).toBe('bad-plan');
  });
});

describe('records', () => {
  test.each<[string, AggregateRecord]>([
    ['a category that is not declared', { at: 1, a: 'Jane Doe', minutes: 1 }],
    ['no category', { at: 1, minutes: 1 }],
    ['no time', { a: 'a0', minutes: 1 }],
    ['a sum of what is no number', { at: 1, a: 'a0', minutes: Number.NaN }],
    ['nobody it is of', { at: 1, a: 'a0', minutes: 1, who: '' }],
  ])('with %s are refused, and not quoted', (_, wrong) => {
    const plan = planOf([2], { measures: [minutes], contributor: { field: 'who', atMost: 1 } });
    const record = { who: 'x', ...wrong };
    expect(codeOf(() => publish(plan, [record]))).toBe('undeclared-value');
    expect(() => publish(plan, [record])).not.toThrow(/Jane/);
  });

  test('of an undeclared category count as other where there is one', () => {
    const plan = planOf([2], { views: [{ name: 'all', dimensions: [{ ...dimension, other: 'a1' }] }] });
    const records = [...recordsOf([2], [10, 0]), ...Array.from({ length: 12 }, () => ({ at: 1, a: 'new' }))];
    expect(release(plan, records).atoms).toEqual([
      [
        { box: [[0, 1]], count: 10, sums: [] },
        { box: [[1, 2]], count: 12, sums: [] },
      ],
    ]);
  });

  test('outside the period are not in it, at both of its ends', () => {
    const times = [PERIOD.from - 1, PERIOD.from, PERIOD.to - 1, PERIOD.to];
    const records = times.flatMap((at) => recordsOf([1], [10]).map((record) => ({ ...record, at })));
    expect(release(planOf([1]), records).atoms[0]?.[0]?.count).toBe(20);
  });

  test('are summed within their bounds', () => {
    const plan = planOf([1], { measures: [minutes] });
    const amounts = [-50, 1.4, 1.6, 1000, ...Array.from({ length: 10 }, () => 50)];
    const records = amounts.map((amount) => ({ at: 1, a: 'a0', minutes: amount }));
    expect(release(plan, records).atoms[0]?.[0]?.sums).toEqual([0 + 1 + 2 + 100 + 500]);
  });

  test('of one contributor count so often at most, and as one towards k', () => {
    const of = (who: string, count: number) => Array.from({ length: count }, () => ({ at: 1, a: 'a0', who }));
    const nine = Array.from({ length: 9 }, (_, index) => of(`w${index}`, 5)).flat();
    const plan = planOf([1], { contributor: { field: 'who', atMost: 3 } });
    expect(release(plan, nine).atoms).toEqual([[]]);
    expect(release(plan, [...nine, ...of('w9', 1)]).atoms[0]?.[0]?.count).toBe(9 * 3 + 1);
  });
});

describe('the same records', () => {
  const records = recordsOf([3], [12, 4, 30]);

  test('give the same release, byte for byte, with noise as well', () => {
    const plan = planOf([3], { roundTo: 5, epsilonMilli: 500 });
    expect(JSON.stringify(release(plan, records))).toBe(JSON.stringify(release(plan, records)));
  });

  test('give nothing but what is withheld when they are fewer than k', () => {
    const made = release(planOf([3]), recordsOf([3], [9, 0, 0]));
    const { cells, together } = tabulate(made, { view: 'all', by: [{ field: 'a' }] });
    expect(cells.map(({ withheld, numbers }) => [withheld, numbers])).toEqual([
      ['too-few', null],
      ['too-few', null],
      ['too-few', null],
    ]);
    expect(together).toEqual([]);
    expect(tabulate(made, { view: 'all' }).cells[0]?.withheld).toBe('too-few');
  });
});

describe('the ledger', () => {
  const plan = planOf([1]);
  /** The plan for some days. */
  const between = (from: number, to: number): AggregatePlan => ({
    ...plan,
    period: { field: 'at', from: from * DAY_MS, to: to * DAY_MS },
  });

  test('lets a period be published once it is over, and not before', () => {
    const input = {
      plan,
      records: [],
      ledger: openAggregateLedger('requests'),
      random: repeatable('ledger'),
    };
    expect(codeOf(() => publishAggregates({ ...input, nowMs: PERIOD.to - 1 }))).toBe('period-open');
    expect(codeOf(() => publishAggregates({ ...input, nowMs: PERIOD.to }))).toBe('accepted');
  });

  test('lets no part of a period be published again, whatever was recorded since', () => {
    const first = publish(between(1, 2));
    for (const [from, to] of [
      [1, 2],
      [0, 1 + 1 / 96],
      [2 - 1 / 96, 3],
      [1 + 1 / 96, 2],
      [0, 9],
    ] as const)
      expect(codeOf(() => publish(between(from, to), [], first.ledger))).toBe('already-published');
    for (const [from, to] of [
      [0, 1],
      [2, 3],
    ] as const)
      expect(codeOf(() => publish(between(from, to), [], first.ledger))).toBe('accepted');
    expect(first.ledger.releases).toEqual([{ from: DAY_MS, to: 2 * DAY_MS, epsilonMilli: 0 }]);
  });

  test('is of one dataset', () => {
    expect(codeOf(() => publish(plan, [], openAggregateLedger('others')))).toBe('bad-plan');
    expect(codeOf(() => openAggregateLedger('requests', { epsilonMilli: 1, periodMs: 0 }))).toBe('bad-plan');
  });

  test('pays for each count and each sum, until the budget of the stretch is spent', () => {
    const views = [view, { name: 'more', dimensions: [{ field: 'b', cuts: [] }] }];
    const noisy = (from: number, to: number): AggregatePlan => ({
      ...between(from, to),
      views,
      measures: [minutes],
      epsilonMilli: 100,
    });
    const budget = { epsilonMilli: 1000, periodMs: 10 * DAY_MS };
    const first = publish(noisy(0, 1), [], openAggregateLedger('requests', budget));
    const second = publish(noisy(1, 2), [], first.ledger);
    expect(second.ledger.releases.map(({ epsilonMilli }) => epsilonMilli)).toEqual([400, 400]);
    expect(codeOf(() => publish(noisy(2, 3), [], second.ledger))).toBe('budget-spent');
    expect(codeOf(() => publish(between(2, 3), [], second.ledger))).toBe('accepted');
    expect(codeOf(() => publish(noisy(10, 11), [], second.ledger))).toBe('accepted');
    expect(codeOf(() => publish(noisy(0, 1)))).toBe('budget-spent');
  });
});
