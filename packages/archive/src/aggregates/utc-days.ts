import { ArchiveError } from '../errors.ts';
import type { NumberDimension } from './dimension.ts';

const DAY_MS = 86_400_000;

/**
 * The days of a period as a dimension, in UTC, labelled 2016-01-15. Other calendars: declare `cuts` and `labels`.
 * @throws ArchiveError `bad-plan` unless the period is of whole days
 */
export function utcDays(
  field: string,
  period: { readonly from: number; readonly to: number },
): NumberDimension {
  const days = (period.to - period.from) / DAY_MS;
  if (period.from % DAY_MS !== 0 || !Number.isSafeInteger(days) || days < 1)
    throw new ArchiveError('bad-plan', 'a period of whole days in UTC');
  const starts = Array.from({ length: days }, (_, day) => period.from + day * DAY_MS);
  return {
    field,
    cuts: starts.slice(1),
    labels: starts.map((start) => new Date(start).toISOString().slice(0, 10)),
  };
}
