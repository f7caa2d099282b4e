import { z } from 'zod';
import { ArchiveError } from '../errors.ts';
import type { Atom } from './atom.ts';
import { fits } from './fits.ts';
import { fullPlan, type AggregatePlan, type FullPlan } from './plan.ts';

/** All that is ever published of a period: a JSON value, from which every table is made. */
export interface AggregateRelease {
  readonly version: 1;
  readonly plan: FullPlan;
  /** For each view of the plan: boxes that together are all of its cells, or none if there is nothing to say. */
  readonly atoms: readonly (readonly Atom[])[];
}

const MAX_ATOMS = 100_000;
const whole = z.number().int().min(0);
const atomsSchema: z.ZodType<readonly (readonly Atom[])[]> = z.array(
  z
    .array(z.strictObject({ box: z.array(z.tuple([whole, whole])), count: whole, sums: z.array(whole) }))
    .max(MAX_ATOMS),
);

/**
 * Reads a release that came from elsewhere: it keeps to its plan, as far as that shows. Whether its numbers are true is
 * for who wrote it to answer.
 * @throws ArchiveError `malformed`, `unsupported-version`
 */
export function parseRelease(value: unknown): AggregateRelease {
  const { version, plan, atoms } = (value ?? {}) as { [key: string]: unknown };
  if (typeof version === 'number' && version > 1)
    throw new ArchiveError('unsupported-version', 'aggregates of a newer version');
  if (version !== 1) throw new ArchiveError('malformed', 'no aggregates');
  let full: FullPlan;
  try {
    full = fullPlan(plan as AggregatePlan);
  } catch (cause) {
    throw new ArchiveError('malformed', 'aggregates whose plan is none', { cause });
  }
  const parsed = atomsSchema.safeParse(atoms);
  const isOfPlan =
    parsed.success &&
    parsed.data.length === full.views.length &&
    full.views.every((view, place) => fits(full, view, parsed.data[place] ?? []));
  if (!isOfPlan) throw new ArchiveError('malformed', 'aggregates that do not fit their plan');
  return { version, plan: full, atoms: parsed.data };
}
