import type { Random } from '@keytide/crypto-core';
import { ArchiveError } from '../errors.ts';
import { atomsOf } from './atoms.ts';
import { enterRelease, type AggregateLedger } from './ledger.ts';
import { geometricNoise } from './noise.ts';
import { fullPlan, type AggregatePlan, type FullPlan, type View } from './plan.ts';
import type { Atom } from './atom.ts';
import type { AggregateRelease } from './release.ts';
import { roundTogether } from './rounding.ts';
import { rowsOf, type AggregateRecord, type Row } from './rows.ts';

/** What a release is made of. */
export interface PublishInput {
  readonly plan: AggregatePlan;
  /** All records of the dataset, in an order that does not change (by sequence); those outside the period are skipped. */
  readonly records: Iterable<AggregateRecord>;
  readonly ledger: AggregateLedger;
  /** The time, in ms: a period is published once it is over. */
  readonly nowMs: number;
  /** For noise; the same bytes give the same release. */
  readonly random: Random;
}

/** A release, and the ledger that must be stored with it, in one write, before anybody sees the release. */
export interface PublishedAggregates {
  readonly release: AggregateRelease;
  readonly ledger: AggregateLedger;
}

/**
 * Makes all that will ever be published of a period (docs/spec/aggregates.md). The records stay where they are.
 * @throws ArchiveError `bad-plan`, `undeclared-value`, `period-open`, `already-published`, `budget-spent`
 */
export function publishAggregates(input: PublishInput): PublishedAggregates {
  const plan = fullPlan(input.plan);
  if (plan.period.to > input.nowMs) throw new ArchiveError('period-open', 'the period is not over');
  const ledger = enterRelease(input.ledger, plan);
  const rows = rowsOf(plan, input.records);
  const atoms = plan.views.map((view) => publishView(plan, view, rows, input.random));
  return { release: { version: 1, plan, atoms }, ledger };
}

function publishView(plan: FullPlan, view: View, rows: readonly Row[], random: Random): readonly Atom[] {
  const boxes = atomsOf(plan, view, rows);
  const column = (exact: readonly number[], max: number, base: number): readonly number[] =>
    roundTogether(withNoise(plan, exact, max, random), base);
  const counts = column(
    boxes.map((box) => box.rows.length),
    1,
    plan.roundTo,
  );
  const sums = plan.measures.map(({ max, roundTo }, measure) =>
    column(
      boxes.map((box) => box.rows.reduce((sum, { amounts }) => sum + (amounts[measure] as number), 0)),
      max,
      roundTo ?? 1,
    ),
  );
  return boxes.map(({ box }, index) => ({
    box,
    count: counts[index] as number,
    sums: sums.map((ofMeasure) => ofMeasure[index] as number),
  }));
}

/** What one contributor can change of all atoms together is `max` for each of its records. */
function withNoise(
  { epsilonMilli, contributor }: FullPlan,
  exact: readonly number[],
  max: number,
  random: Random,
): readonly number[] {
  if (epsilonMilli === undefined) return exact;
  const sensitivity = max * (contributor?.atMost ?? 1);
  return exact.map((value) => Math.max(0, value + geometricNoise(random, epsilonMilli, sensitivity)));
}
