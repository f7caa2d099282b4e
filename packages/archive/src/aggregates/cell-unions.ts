import { reachOf, type Grouping, type ViewAtoms } from './query.ts';

/** Cells of a table that have their numbers together, because atoms reach into several of them. */
export interface CellUnion {
  /** How many cells. */
  size: number;
  count: number;
  sums: readonly number[];
  /** Whether an atom also reaches into what the table leaves out. */
  isCut: boolean;
  /** Whether any atom reaches into it: none does where none is published. */
  isReached: boolean;
}

/** For each cell of a table by the dimensions in `places`, in order, the union that it is in; often alone. */
export function uniteCells(
  { atoms }: ViewAtoms,
  grouping: Grouping,
  places: readonly number[],
  measures: number,
): readonly CellUnion[] {
  const sizes = places.map((place) => 1 + Math.max(...(grouping[place] ?? [])));
  const cells = sizes.reduce((product, size) => product * size, 1);
  const sums = Array.from({ length: measures }, () => 0);
  const alone: CellUnion = { size: 1, count: 0, sums, isCut: false, isReached: false };
  const members = new Map<CellUnion, number[]>();
  const unionOf = Array.from({ length: cells }, (_, cell) => {
    const union = { ...alone };
    members.set(union, [cell]);
    return union;
  });
  for (const atom of atoms) {
    const reach = reachOf(atom, grouping);
    if (reach === null) continue;
    const reached = combinations(places.map((place) => reach.groups[place] ?? [])).map((groups) =>
      groups.reduce((cell, group, axis) => cell * (sizes[axis] ?? 1) + group, 0),
    );
    const union = join([...new Set(reached.map((cell) => unionOf[cell] as CellUnion))]);
    add(union, atom);
    union.isCut ||= reach.isCut;
    union.isReached = true;
  }
  return unionOf;

  function join(unions: readonly CellUnion[]): CellUnion {
    const first = unions.reduce((a, b) => (b.size > a.size ? b : a));
    for (const other of unions) {
      if (other === first) continue;
      for (const cell of members.get(other) ?? []) {
        unionOf[cell] = first;
        members.get(first)?.push(cell);
      }
      add(first, other);
      first.size += other.size;
      first.isCut ||= other.isCut;
      first.isReached ||= other.isReached;
    }
    return first;
  }
}

function add(
  union: CellUnion,
  { count, sums }: { readonly count: number; readonly sums: readonly number[] },
): void {
  union.count += count;
  union.sums = union.sums.map((sum, measure) => sum + (sums[measure] ?? 0));
}

/** Every choice of one from each, the last changing fastest. */
export function combinations<T>(choices: readonly (readonly T[])[]): readonly (readonly T[])[] {
  let chosen: readonly (readonly T[])[] = [[]];
  for (const options of choices)
    chosen = chosen.flatMap((before) => options.map((option) => [...before, option]));
  return chosen;
}
