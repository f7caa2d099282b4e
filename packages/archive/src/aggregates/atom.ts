import type { Run } from './atoms.ts';

/** The smallest thing that is published: how many records a box holds, and the sum of each measure. */
export interface Atom {
  /** For each dimension of the view, the bins from the first number to before the second. */
  readonly box: readonly Run[];
  readonly count: number;
  readonly sums: readonly number[];
}
