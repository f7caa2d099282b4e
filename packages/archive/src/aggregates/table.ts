import type { Selection } from './query.ts';

/** What to make a table of; `by` nothing is the total. */
export interface TableQuery {
  readonly view: string;
  readonly by?: readonly TableAxis[];
  /** Only these bins of dimensions that are not in `by`. */
  readonly where?: readonly Selection[];
}

/** A dimension of a table: each bin by itself, or groups of bins; bins in no group are left out. */
export interface TableAxis {
  readonly field: string;
  readonly groups?: readonly { readonly label: string; readonly labels: readonly string[] }[];
}

/**
 * Why a cell has no number: `merged`, there is one for it with others (`together`); `cut`, there is one only with
 * what the query leaves out; `too-few`, nothing of the view is published. Whether its own number is small, or stands
 * in for a small one, is not told.
 */
export type Withheld = 'merged' | 'cut' | 'too-few';

/** A number of records, and the sums of measures in the order of `measures`. */
export interface TableNumbers {
  readonly count: number;
  readonly sums: readonly number[];
}

/** One cell; exactly one of `numbers` and `withheld` is not `null`. */
export interface TableCell {
  /** In the order of `by`. */
  readonly labels: readonly string[];
  readonly numbers: TableNumbers | null;
  readonly withheld: Withheld | null;
  /** For `merged`: the place in `together`. */
  readonly together: number | null;
}

/** The numbers of cells that have none by themselves. */
export interface TogetherCells {
  /** Places in `cells`. */
  readonly cells: readonly number[];
  readonly numbers: TableNumbers;
}

/** A table of a release: a JSON value. */
export interface AggregateTable {
  readonly dataset: string;
  readonly period: { readonly from: number; readonly to: number };
  readonly view: string;
  readonly by: readonly string[];
  readonly measures: readonly string[];
  readonly k: number;
  readonly roundTo: number;
  readonly isNoisy: boolean;
  /** The last of `by` changes fastest. */
  readonly cells: readonly TableCell[];
  readonly together: readonly TogetherCells[];
}
