import { binCount } from './dimension.ts';
import type { FullPlan, View } from './plan.ts';
import type { Atom } from './atom.ts';

/**
 * Whether these can be the atoms of a view: each of its cells is in exactly one, none is of fewer than k, and all are as
 * the plan rounds. Anything else could be subtracted, or is too little to be told.
 */
export function fits(plan: FullPlan, view: View, atoms: readonly Atom[]): boolean {
  return (
    (atoms.length === 0 || tile(view, atoms)) &&
    atoms.every((atom) => isEnough(plan, atom) && isRounded(plan, atom))
  );
}

/** A count is off by less than `roundTo`; with noise it may be anything. */
function isEnough({ k, roundTo, epsilonMilli }: FullPlan, { count }: Atom): boolean {
  return epsilonMilli !== undefined || count > k - roundTo;
}

function isRounded({ roundTo, measures }: FullPlan, { count, sums }: Atom): boolean {
  return (
    count % roundTo === 0 &&
    sums.length === measures.length &&
    measures.every(({ roundTo: base = 1 }, measure) => (sums[measure] as number) % base === 0)
  );
}

function tile({ dimensions }: View, atoms: readonly Atom[]): boolean {
  const sizes = dimensions.map(binCount);
  const taken = new Uint8Array(sizes.reduce((product, size) => product * size, 1));
  let left = taken.length;
  for (const { box } of atoms) {
    if (box.length !== sizes.length) return false;
    let cells = [0];
    for (const [dimension, [from, to]] of box.entries()) {
      const size = sizes[dimension] as number;
      if (from >= to || to > size) return false;
      cells = cells.flatMap((cell) =>
        Array.from({ length: to - from }, (_, bin) => cell * size + from + bin),
      );
    }
    if (cells.some((cell) => taken[cell] !== 0)) return false;
    for (const cell of cells) taken[cell] = 1;
    left -= cells.length;
  }
  return left === 0;
}
