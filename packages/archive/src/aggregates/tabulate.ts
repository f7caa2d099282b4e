import { combinations, uniteCells, type CellUnion } from './cell-unions.ts';
import { labelsOf, type Dimension } from './dimension.ts';
import { badQuery, binsOf, dimensionAt, groupingOf, viewOf, type ViewAtoms } from './query.ts';
import type { AggregateRelease } from './release.ts';
import type { AggregateTable, TableAxis, TableCell, TableNumbers, TableQuery, Withheld } from './table.ts';

/** Makes a table of what is published: sums of atoms, and nothing else. @throws ArchiveError `bad-query` */
export function tabulate(release: AggregateRelease, query: TableQuery): AggregateTable {
  const view = viewOf(release, query.view);
  const axes = (query.by ?? []).map((axis) => placedAxis(view, axis));
  const places = axes.map(({ place }) => place);
  const filtered = (query.where ?? []).map(({ field }) => dimensionAt(view, field));
  if (new Set([...places, ...filtered]).size < places.length + filtered.length)
    throw badQuery('a dimension that is named twice');
  const { plan } = release;
  const grouping = groupingOf(view, query.where ?? []);
  for (const { place, groupOfBin } of axes) grouping[place] = [...groupOfBin];
  const labels = combinations(axes.map((axis) => axis.labels));
  const unions = uniteCells(view, grouping, places, plan.measures.length);
  const shared = new Map<CellUnion, number[]>();
  for (const [cell, union] of unions.entries())
    if (union.size > 1 && !union.isCut) shared.set(union, [...(shared.get(union) ?? []), cell]);
  const sharedPlaces = new Map([...shared.keys()].map((union, index) => [union, index]));
  return {
    dataset: plan.dataset,
    period: { from: plan.period.from, to: plan.period.to },
    view: query.view,
    by: (query.by ?? []).map(({ field }) => field),
    measures: plan.measures.map(({ field }) => field),
    k: plan.k,
    roundTo: plan.roundTo,
    isNoisy: plan.epsilonMilli !== undefined,
    cells: unions.map((union, cell): TableCell => {
      const withheld = withheldOf(union);
      const numbers = withheld === null ? numbersOf(union) : null;
      return { labels: labels[cell] ?? [], numbers, withheld, together: sharedPlaces.get(union) ?? null };
    }),
    together: [...shared].map(([union, cells]) => ({ cells, numbers: numbersOf(union) })),
  };
}

function withheldOf({ isReached, isCut, size }: CellUnion): Withheld | null {
  if (!isReached) return 'too-few';
  if (isCut) return 'cut';
  return size > 1 ? 'merged' : null;
}

function numbersOf({ count, sums }: CellUnion): TableNumbers {
  return { count, sums };
}

interface PlacedAxis {
  readonly place: number;
  readonly labels: readonly string[];
  readonly groupOfBin: readonly number[];
}

function placedAxis(view: ViewAtoms, { field, groups }: TableAxis): PlacedAxis {
  const place = dimensionAt(view, field);
  const dimension = view.dimensions[place] as Dimension;
  const all = labelsOf(dimension);
  if (groups === undefined) return { place, labels: all, groupOfBin: all.map((_, bin) => bin) };
  const groupOfBin = all.map(() => -1);
  for (const [group, { labels }] of groups.entries()) {
    if (labels.length === 0) throw badQuery('a group of no bins');
    for (const bin of binsOf(dimension, labels)) {
      if (groupOfBin[bin] !== -1) throw badQuery('a bin in two groups');
      groupOfBin[bin] = group;
    }
  }
  return { place, labels: groups.map(({ label }) => label), groupOfBin };
}
