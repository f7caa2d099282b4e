import {
  openAggregateLedger,
  publishAggregates,
  type AggregatePlan,
  type AggregateRecord,
  type AggregateRelease,
  type Dimension,
} from '@keytide/archive/aggregates';
import { createHash } from 'node:crypto';

export const DAY_MS = 86_400_000;
export const PERIOD = { field: 'at', from: 0, to: DAY_MS };

/** Dimensions a, b, c… of so many categories each, labelled a0, a1…. */
export function dimensionsOf(sizes: readonly number[]): Dimension[] {
  return sizes.map((size, index) => {
    const field = String.fromCharCode(97 + index);
    return { field, categories: Array.from({ length: size }, (_, bin) => `${field}${bin}`) };
  });
}

/** A plan of one view, `all`, with the dimensions of `dimensionsOf`. */
export function planOf(sizes: readonly number[], more: Partial<AggregatePlan> = {}): AggregatePlan {
  const views = [{ name: 'all', dimensions: dimensionsOf(sizes) }];
  return { dataset: 'requests', period: PERIOD, views, ...more };
}

/** The place of a cell as bins, the last dimension changing fastest. */
export function binsAt(sizes: readonly number[], cell: number): number[] {
  let rest = cell;
  return sizes.map((_, index) => {
    const step = sizes.slice(index + 1).reduce((product, size) => product * size, 1);
    const bin = Math.floor(rest / step);
    rest -= bin * step;
    return bin;
  });
}

/** So many records in each cell. */
export function recordsOf(sizes: readonly number[], counts: readonly number[]): AggregateRecord[] {
  return counts.flatMap((count, cell) => {
    const labels = binsAt(sizes, cell).map((bin, index) => {
      const field = String.fromCharCode(97 + index);
      return [field, `${field}${bin}`];
    });
    return Array.from({ length: count }, () => ({ at: 1, ...Object.fromEntries(labels) }));
  });
}

/** What is published of records, with a ledger of its own. */
export function release(plan: AggregatePlan, records: Iterable<AggregateRecord>): AggregateRelease {
  const ledger = openAggregateLedger(plan.dataset, { epsilonMilli: 1e6, periodMs: DAY_MS });
  return publishAggregates({ plan, records, ledger, nowMs: plan.period.to, random: repeatable('release') })
    .release;
}

/** Bytes that look random and are the same each time. */
export function repeatable(seed: string): (sizeBytes: number) => Uint8Array {
  let turn = 0;
  let pool = new Uint8Array();
  return (sizeBytes) => {
    while (pool.length < sizeBytes) {
      turn += 1;
      const more = createHash('sha512').update(`${seed} ${turn}`).digest();
      pool = new Uint8Array([...pool, ...more]);
    }
    const taken = pool.slice(0, sizeBytes);
    pool = pool.slice(sizeBytes);
    return taken;
  };
}
