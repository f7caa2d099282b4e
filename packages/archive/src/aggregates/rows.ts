import { ArchiveError } from '../errors.ts';
import { binFinder } from './dimension.ts';
import type { FullPlan } from './plan.ts';

/** A record with the fields that a plan names. */
export type AggregateRecord = { readonly [field: string]: unknown };

/** What a plan sees of one record. */
export interface Row {
  readonly contributor: string | number;
  /** By view, by dimension: the bin. */
  readonly bins: readonly (readonly number[])[];
  /** By measure, within its bounds. */
  readonly amounts: readonly number[];
}

/**
 * The records of the plan's period, in the order given, the first `atMost` of each contributor.
 * @throws ArchiveError `undeclared-value` for a value that the plan does not allow; it is not named
 */
export function rowsOf(plan: FullPlan, records: Iterable<AggregateRecord>): readonly Row[] {
  const finders = plan.views.map((view) =>
    view.dimensions.map((dimension) => ({ field: dimension.field, find: binFinder(dimension) })),
  );
  const { period, contributor } = plan;
  const taken = new Map<string | number, number>();
  const rows: Row[] = [];
  for (const record of records) {
    const at = numberIn(record, period.field);
    if (at < period.from || at >= period.to) continue;
    const who = contributor === undefined ? rows.length : contributorIn(record, contributor.field);
    const bins = finders.map((view) =>
      view.map(({ field, find }) => find(record[field]) ?? undeclared(field)),
    );
    const amounts = plan.measures.map(({ field, max }) =>
      Math.min(max, Math.max(0, Math.round(numberIn(record, field)))),
    );
    const before = taken.get(who) ?? 0;
    if (before >= (contributor?.atMost ?? 1)) continue;
    taken.set(who, before + 1);
    rows.push({ contributor: who, bins, amounts });
  }
  return rows;
}

function numberIn(record: AggregateRecord, field: string): number {
  const value = record[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : undeclared(field);
}

function contributorIn(record: AggregateRecord, field: string): string | number {
  const value = record[field];
  return typeof value === 'string' && value !== '' ? value : numberIn(record, field);
}

function undeclared(field: string): never {
  throw new ArchiveError('undeclared-value', `a record whose ${field} is not what the plan declares`);
}
