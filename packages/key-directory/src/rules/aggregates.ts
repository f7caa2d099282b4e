import { toHex } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import type { DirectoryFacts } from '../state.ts';
import type { Change } from './change.ts';
import { requireAdmin, type Author, type EntryOf } from './standing.ts';

/**
 * `aggregates`: an admin publishes numbers about a dataset, of a period that is over and of which nothing is published.
 * How long it may be is the layout's; that it takes approvals, where exports do, is `approvals.ts`.
 * @throws DirectoryError `not-permitted`, `period-open`, `already-published`, `budget-spent`
 */
export function aggregatesRule(facts: DirectoryFacts, entry: EntryOf<'aggregates'>, author: Author): Change {
  const { dataset, fromMs, toMs, epsilonMilli, release } = entry.body;
  requireAdmin(author);
  if (toMs > entry.timeMs) throw new DirectoryError('period-open', 'the period is not over');
  const before = facts.aggregates.filter((published) => published.dataset === dataset);
  if (before.some((published) => published.fromMs < toMs && fromMs < published.toMs))
    throw new DirectoryError('already-published', 'a part of the period is published, and is what it is');
  if (epsilonMilli > 0) {
    const { privacyBudget: budget = { epsilonMilli: 0, periodSeconds: 1 } } = facts.policy;
    const stretch = (ms: number): number => Math.floor(ms / (budget.periodSeconds * 1000));
    const spent = before
      .filter((published) => stretch(published.fromMs) === stretch(fromMs))
      .reduce((sum, published) => sum + published.epsilonMilli, 0);
    if (spent + epsilonMilli > budget.epsilonMilli)
      throw new DirectoryError('budget-spent', 'the privacy budget does not allow it');
  }
  const { index: at, author: device } = entry;
  return {
    aggregates: { dataset, fromMs, toMs, epsilonMilli, release: toHex(release), at, author: device },
  };
}
