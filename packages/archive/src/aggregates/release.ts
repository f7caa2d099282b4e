import { z } from 'zod';
import { ArchiveError } from '../errors.ts';
import type { Run } from './atoms.ts';
import { binCount } from './dimension.ts';
import { fullPlan, type AggregatePlan, type FullPlan } from './plan.ts';

/** The smallest thing that is published: how many records a box holds, and the sum of each measure. */
export interface Atom {
  /** For each dimension of the view, the bins from the first number to before the second. */
  readonly box: readonly Run[];
  readonly count: number;
  readonly sums: readonly number[];
}

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
 * Reads a release that came from elsewhere. Whether its numbers are true is for who wrote it to answer.
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
  if (!parsed.success || parsed.data.length !== full.views.length || !parsed.data.every(isOfView))
    throw new ArchiveError('malformed', 'aggregates that do not fit their plan');
  return { version, plan: full, atoms: parsed.data };

  function isOfView(found: readonly Atom[], view: number): boolean {
    const sizes = full.views[view]?.dimensions.map(binCount) ?? [];
    return found.every(
      ({ box, sums }) =>
        sums.length === full.measures.length &&
        box.length === sizes.length &&
        box.every(([from, to], dimension) => from < to && to <= (sizes[dimension] ?? 0)),
    );
  }
}
