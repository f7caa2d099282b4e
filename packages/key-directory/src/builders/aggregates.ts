import type { BodyOf } from '../entry-body.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/**
 * Enters what is published of a dataset for a period: before anybody sees it, and once.
 * @throws DirectoryError `not-permitted`, `period-open`, `already-published`, `budget-spent`
 */
export function createAggregatesEntry(
  context: WriteContext & { readonly aggregates: Omit<BodyOf<'aggregates'>, 'kind'> },
): Uint8Array {
  return writeEntry(context, { kind: 'aggregates', ...context.aggregates });
}
