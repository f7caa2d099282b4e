import { isPublishablePeriod } from '@keytide/key-directory';
import { z } from 'zod';
import { ArchiveError } from '../errors.ts';
import { binCount, labelsOf, type Dimension } from './dimension.ts';

/** Records whose `field` (ms) is at or after `from` and before `to`: a day to five years, both on a quarter of an hour. */
export interface Period {
  readonly field: string;
  readonly from: number;
  readonly to: number;
}

/** Dimensions that are published crossed with each other; those that come first stay finest. */
export interface View {
  readonly name: string;
  readonly dimensions: readonly Dimension[];
}

/**
 * A field that is summed: rounded to whole numbers, and no less than 0 nor more than `max`. Amounts of which there are
 * many; what is one of few is a dimension.
 */
export interface Measure {
  readonly field: string;
  readonly max: number;
  /** Sums are multiples of it. Default 1. */
  readonly roundTo?: number;
}

/** What is published of a dataset for one period, declared before anybody looks at the records. */
export interface AggregatePlan {
  readonly dataset: string;
  readonly period: Period;
  readonly views: readonly View[];
  readonly measures?: readonly Measure[];
  /** A number is of at least so many contributors. Default 10. */
  readonly k?: number;
  /** Has to be said for a `k` from 3 to 9. */
  readonly acceptSmallerK?: boolean;
  /** All of a sum but its two largest contributors is at least so many percent of the largest. Default 10. */
  readonly dominancePercent?: number;
  /** Counts are multiples of it. Default 1, at most k. */
  readonly roundTo?: number;
  /** Whose records they are; only the first `atMost` of each count. Without it, each record is its own contributor. */
  readonly contributor?: { readonly field: string; readonly atMost: number };
  /** Adds noise to each count, and to each sum, of this epsilon in thousandths. */
  readonly epsilonMilli?: number;
}

/** A plan of which everything that can be left out is said. */
export type FullPlan = Required<Omit<AggregatePlan, 'acceptSmallerK' | 'contributor' | 'epsilonMilli'>> &
  AggregatePlan;

const MAX_CELLS = 100_000;
const MAX_SENSITIVITY = 2 ** 38;
/** Text that UTF-8 can hold: no half of a pair of surrogates. */
const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\ud800-\udfff]*$/u);
const whole = (min: number, max: number): z.ZodNumber => z.number().int().min(min).max(max);
const labels = z.array(name).min(1).max(MAX_CELLS);

const planSchema: z.ZodType<FullPlan> = z.strictObject({
  dataset: name,
  period: z.strictObject({ field: name, from: z.number().int(), to: z.number().int() }),
  views: z
    .array(
      z.strictObject({
        name,
        dimensions: z
          .array(
            z.union([
              z.strictObject({ field: name, categories: labels, other: name.exactOptional() }),
              z.strictObject({
                field: name,
                cuts: z.array(z.number()).max(MAX_CELLS),
                labels: labels.exactOptional(),
              }),
            ]),
          )
          .min(1),
      }),
    )
    .min(1),
  measures: z.array(
    z.strictObject({ field: name, max: whole(1, 1e9), roundTo: whole(1, 1e9).exactOptional() }),
  ),
  k: whole(3, 1e6),
  acceptSmallerK: z.boolean().exactOptional(),
  dominancePercent: z.number().min(1).max(100),
  roundTo: whole(1, 1e6),
  contributor: z.strictObject({ field: name, atMost: whole(1, 1e6) }).exactOptional(),
  epsilonMilli: whole(1, 1e6).exactOptional(),
});

/** Fills in the defaults. @throws ArchiveError `bad-plan` for what contradicts itself or promises too little */
export function fullPlan(plan: AggregatePlan): FullPlan {
  const filled = { measures: [], k: 10, dominancePercent: 10, roundTo: 1, ...plan };
  const parsed = planSchema.safeParse(filled);
  const problem = parsed.success ? contradictionIn(parsed.data) : pathsOf(parsed.error);
  if (parsed.success && problem === null) return parsed.data;
  throw new ArchiveError('bad-plan', `the plan of aggregates: ${problem}`);
}

function pathsOf(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ');
}

function contradictionIn(plan: FullPlan): string | null {
  const dimensions = plan.views.flatMap((view) => view.dimensions);
  const fields = [...dimensions, ...plan.measures].map(({ field }) => field);
  if (plan.contributor !== undefined) fields.push(plan.contributor.field);
  if (!isPublishablePeriod(plan.period.from, plan.period.to))
    return 'its period is not of a day to five years, from and to a quarter of an hour';
  if (plan.k < 10 && plan.acceptSmallerK !== true) return 'a k under 10 without acceptSmallerK';
  if (plan.roundTo > plan.k) return 'rounded to more than k';
  if (repeats(fields)) return 'a field that is in two dimensions, measures or views';
  if (plan.measures.some(({ field }) => field === plan.period.field)) return 'the time is summed';
  if (plan.contributor?.field === plan.period.field) return 'the time is the contributor';
  if (repeats(plan.views.map((view) => view.name))) return 'two views of one name';
  const perContributor = plan.contributor?.atMost ?? 1;
  if (plan.measures.some(({ max }) => max * perContributor > MAX_SENSITIVITY))
    return 'one contributor can be worth more than 2^38';
  for (const view of plan.views) {
    const cells = view.dimensions.reduce((product, dimension) => product * binCount(dimension), 1);
    if (cells > MAX_CELLS) return `more than ${MAX_CELLS} cells in a view`;
  }
  return dimensions.map(problemOf).find((problem) => problem !== null) ?? null;
}

function problemOf(dimension: Dimension): string | null {
  if (repeats(labelsOf(dimension))) return 'two bins of one label';
  if ('categories' in dimension) {
    const { categories, other } = dimension;
    return other === undefined || categories.includes(other) ? null : 'other is not among the categories';
  }
  const { cuts } = dimension;
  if (cuts.some((cut, index) => index > 0 && cut <= (cuts[index - 1] as number)))
    return 'cuts that do not ascend';
  return labelsOf(dimension).length === cuts.length + 1 ? null : 'one label for each bin';
}

function repeats(values: readonly string[]): boolean {
  return new Set(values).size < values.length;
}
