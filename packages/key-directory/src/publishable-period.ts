const QUARTER_MS = 900_000;
/** A day on which clocks are put forward. */
const SHORTEST_MS = 23 * 3_600_000;
/** Five years, whatever became of the clocks in them. */
const LONGEST_MS = 1828 * 86_400_000;

/**
 * Whether anonymous numbers may be published of the time from `fromMs` to before `toMs` (docs/spec/aggregates.md, the
 * period): a day to five years, beginning and ending on a quarter of an hour, as days do in every time zone.
 */
export function isPublishablePeriod(fromMs: number, toMs: number): boolean {
  if (fromMs % QUARTER_MS !== 0 || toMs % QUARTER_MS !== 0) return false;
  return toMs - fromMs >= SHORTEST_MS && toMs - fromMs <= LONGEST_MS;
}
