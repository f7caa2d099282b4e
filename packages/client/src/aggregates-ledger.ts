import { openAggregateLedger, type AggregateLedger } from '@keytide/archive/aggregates';
import type { DirectoryFacts } from '@keytide/key-directory';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';

/**
 * What the organisation has published of a dataset, and its budget, by the membership log as this device knows it: what
 * `publishAggregates` of `@keytide/archive/aggregates` makes a release against. What is only made is not published.
 */
export function aggregateLedger<D extends Declarations>(client: Client<D>, dataset: string): AggregateLedger {
  return aggregateLedgerIn(coreOf(client).parts.directory.state, dataset);
}

/** The ledger that a verified membership log holds. */
export function aggregateLedgerIn(
  { aggregates, policy: { privacyBudget: budget } }: Pick<DirectoryFacts, 'aggregates' | 'policy'>,
  dataset: string,
): AggregateLedger {
  const spending = budget && {
    epsilonMilli: budget.epsilonMilli,
    periodMs: budget.periodSeconds * 1000,
  };
  const releases = aggregates
    .filter((published) => published.dataset === dataset)
    .map(({ fromMs: from, toMs: to, epsilonMilli }) => ({ from, to, epsilonMilli }));
  return { ...openAggregateLedger(dataset, spending ?? null), releases };
}
