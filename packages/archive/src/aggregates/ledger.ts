import { ArchiveError } from '../errors.ts';
import type { FullPlan } from './plan.ts';

/** At most `epsilonMilli` thousandths for the releases that begin in one stretch of `periodMs`, counted from 1970. */
export interface PrivacyBudget {
  readonly epsilonMilli: number;
  readonly periodMs: number;
}

/** What was published of a dataset: a JSON value. There is one for each dataset, and it forgets nothing. */
export interface AggregateLedger {
  readonly dataset: string;
  /** `null`: nothing with noise is published. */
  readonly budget: PrivacyBudget | null;
  readonly releases: readonly LedgerEntry[];
}

/** A period that is published, and what its noise cost. */
export interface LedgerEntry {
  readonly from: number;
  readonly to: number;
  readonly epsilonMilli: number;
}

/** A ledger of a dataset of which nothing was published. @throws ArchiveError `bad-plan` for a budget that is none */
export function openAggregateLedger(dataset: string, budget: PrivacyBudget | null = null): AggregateLedger {
  if (budget !== null && !(budget.epsilonMilli >= 0 && budget.periodMs >= 1))
    throw new ArchiveError('bad-plan', 'a budget of thousandths for each stretch of milliseconds');
  return { dataset, budget, releases: [] };
}

/**
 * The ledger with a plan's period in it.
 * @throws ArchiveError `bad-plan` for another dataset's, `already-published`, `budget-spent`
 */
export function enterRelease(ledger: AggregateLedger, plan: FullPlan): AggregateLedger {
  const { from, to } = plan.period;
  if (ledger.dataset !== plan.dataset) throw new ArchiveError('bad-plan', 'the ledger is of another dataset');
  if (ledger.releases.some((release) => release.from < to && from < release.to))
    throw new ArchiveError('already-published', 'a part of the period is published, and is what it is');
  const epsilonMilli = costOf(plan);
  if (epsilonMilli > 0) spend(ledger, from, epsilonMilli);
  return { ...ledger, releases: [...ledger.releases, { from, to, epsilonMilli }] };
}

/** What the noise of a plan costs of the privacy budget, in thousandths: 0 without noise. */
export function costOf({ epsilonMilli = 0, views, measures }: FullPlan): number {
  return epsilonMilli * views.length * (1 + measures.length);
}

function spend({ budget, releases }: AggregateLedger, from: number, epsilonMilli: number): void {
  const stretch = (time: number): number => Math.floor(time / (budget?.periodMs ?? 1));
  const spent = releases.reduce(
    (sum, release) => sum + (stretch(release.from) === stretch(from) ? release.epsilonMilli : 0),
    0,
  );
  if (spent + epsilonMilli > (budget?.epsilonMilli ?? 0))
    throw new ArchiveError('budget-spent', 'the privacy budget does not allow it');
}
