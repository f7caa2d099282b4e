import { DirectoryError } from '../errors.ts';
import type { DirectoryFacts } from '../state.ts';
import type { Change } from './change.ts';
import type { EntryOf } from './standing.ts';

/**
 * `deletion-receipt`: the relay's word, signed by the key that the policy names, that it has deleted the next
 * stretch of a group's log. Stretches follow each other without a gap.
 * @throws DirectoryError `unknown-group`, `wrong-stretch`
 */
export function deletionReceiptRule(facts: DirectoryFacts, entry: EntryOf<'deletion-receipt'>): Change {
  const { group, firstSeq, lastSeq } = entry.body;
  if (group !== facts.everyone) throw new DirectoryError('unknown-group', 'no such group');
  if (firstSeq !== (facts.deletedUpTo.get(group) ?? 0) + 1)
    throw new DirectoryError('wrong-stretch', 'does not follow what was deleted before');
  return { deleted: { group, upTo: lastSeq } };
}
