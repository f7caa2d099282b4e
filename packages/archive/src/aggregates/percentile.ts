import type { NumberDimension } from './dimension.ts';
import { badQuery, dimensionAt, groupingOf, reachOf, viewOf, type Selection } from './query.ts';
import type { AggregateRelease } from './release.ts';

/** Which percentile of which numbers. */
export interface PercentileQuery {
  readonly view: string;
  /** A dimension of numbers. */
  readonly field: string;
  /** Over 0, at most 100: 50 is the median. */
  readonly percent: number;
  /** Only these bins of other dimensions. */
  readonly where?: readonly Selection[];
}

/** At or above `from` and below `to`; `null` for an end that the cuts leave open. */
export interface PercentileRange {
  readonly from: number | null;
  readonly to: number | null;
}

/**
 * Between which cuts a percentile lies, by what is published: the smallest value that at least so many percent of
 * the records do not exceed. `null` where that is withheld.
 * @throws ArchiveError `bad-query`
 */
export function percentile(release: AggregateRelease, query: PercentileQuery): PercentileRange | null {
  const view = viewOf(release, query.view);
  const place = dimensionAt(view, query.field);
  const dimension = view.dimensions[place];
  const where = query.where ?? [];
  if (dimension === undefined || !('cuts' in dimension))
    throw badQuery('a percentile of what are no numbers');
  if (!(query.percent > 0 && query.percent <= 100)) throw badQuery('a percentile over 0, up to 100');
  if (where.some(({ field }) => field === query.field)) throw badQuery('a dimension that is named twice');
  const { cuts } = dimension as NumberDimension;
  const grouping = groupingOf(view, where);
  const [atLeast, atMost] = [zeros(cuts.length + 1), zeros(cuts.length + 1)];
  let total = 0;
  for (const atom of view.atoms) {
    const reach = reachOf(atom, grouping);
    if (reach === null) continue;
    if (reach.isCut) return null;
    const [from, to] = atom.box[place] ?? [0, 1];
    atLeast[from] = (atLeast[from] ?? 0) + atom.count;
    atMost[to - 1] = (atMost[to - 1] ?? 0) + atom.count;
    total += atom.count;
  }
  if (total === 0) return null;
  const rank = Math.max(1, Math.ceil((total * query.percent) / 100));
  return { from: cuts[binOfRank(atLeast, rank) - 1] ?? null, to: cuts[binOfRank(atMost, rank)] ?? null };
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}

/** The first bin by which so many were counted. */
function binOfRank(counts: readonly number[], rank: number): number {
  let seen = 0;
  return counts.findIndex((count) => (seen += count) >= rank);
}
