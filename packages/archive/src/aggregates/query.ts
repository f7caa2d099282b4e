import { ArchiveError } from '../errors.ts';
import type { Atom } from './atom.ts';
import type { AggregateRelease } from './release.ts';
import { labelsOf, type Dimension } from './dimension.ts';

/** Bins of one dimension, by their labels. */
export interface Selection {
  readonly field: string;
  readonly labels: readonly string[];
}

/** The atoms of a view, with its dimensions. */
export interface ViewAtoms {
  readonly dimensions: readonly Dimension[];
  readonly atoms: readonly Atom[];
}

/** @throws ArchiveError `bad-query` for a view that the release does not have */
export function viewOf(release: AggregateRelease, name: string): ViewAtoms {
  const place = release.plan.views.findIndex((view) => view.name === name);
  const [view, atoms] = [release.plan.views[place], release.atoms[place]];
  if (view === undefined || atoms === undefined) throw badQuery('no such view');
  return { dimensions: view.dimensions, atoms };
}

/** @throws ArchiveError `bad-query` for a field that is no dimension of the view */
export function dimensionAt({ dimensions }: ViewAtoms, field: string): number {
  const place = dimensions.findIndex((dimension) => dimension.field === field);
  if (place < 0) throw badQuery('no such dimension in the view');
  return place;
}

/** The bins of labels. @throws ArchiveError `bad-query` for one that the dimension does not have */
export function binsOf(dimension: Dimension, labels: readonly string[]): readonly number[] {
  const all = labelsOf(dimension);
  return labels.map((label) => {
    const bin = all.indexOf(label);
    if (bin < 0) throw badQuery('no such bin in the dimension');
    return bin;
  });
}

/** For each dimension, which bin belongs to which group; -1 for a bin that is left out. */
export type Grouping = readonly (readonly number[])[];

/** All bins of each dimension as one group, but for the bins that a selection leaves out. */
export function groupingOf(view: ViewAtoms, where: readonly Selection[]): number[][] {
  const grouping = view.dimensions.map((dimension) => labelsOf(dimension).map(() => 0));
  for (const { field, labels } of where) {
    const place = dimensionAt(view, field);
    const chosen = new Set(binsOf(view.dimensions[place] as Dimension, labels));
    grouping[place] = (grouping[place] ?? []).map((group, bin) => (chosen.has(bin) ? group : -1));
  }
  return grouping;
}

/** The groups that an atom reaches into, by dimension, and whether it also reaches into what is left out. */
export interface Reach {
  readonly groups: readonly (readonly number[])[];
  readonly isCut: boolean;
}

/** `null` for an atom that reaches into no group of some dimension, and so has nothing of what is asked. */
export function reachOf({ box }: Atom, grouping: Grouping): Reach | null {
  const reached = box.map(([from, to], dimension) => new Set(grouping[dimension]?.slice(from, to)));
  const isCut = reached.filter((groups) => groups.delete(-1)).length > 0;
  return reached.some((groups) => groups.size === 0)
    ? null
    : { groups: reached.map((groups) => [...groups]), isCut };
}

/** What a person may be told of a question that cannot be answered. */
export function badQuery(what: string): ArchiveError {
  return new ArchiveError('bad-query', what);
}
