import type { AggregateTable, TableQuery } from '@keytide/archive/aggregates';
import { binsAt } from './world.ts';

/** So many records in all the cells of `cells` together. */
export interface Equation {
  readonly cells: ReadonlySet<number>;
  readonly count: number;
}

/** What a table says of the cells of its view, by the query alone; what is withheld says nothing. */
export function equationsOf(sizes: readonly number[], query: TableQuery, table: AggregateTable): Equation[] {
  const asked = table.cells.map(({ labels }) => cellsAsked(sizes, query, labels));
  const own = table.cells.map(({ numbers }, cell) => ({ cells: asked[cell] ?? new Set(), numbers }));
  const together = table.together.map(({ cells, numbers }) => ({
    cells: new Set(cells.flatMap((cell) => [...(asked[cell] ?? [])])),
    numbers,
  }));
  return [...own, ...together].flatMap(({ cells, numbers }) =>
    numbers === null ? [] : [{ cells, count: numbers.count }],
  );
}

/** The cells that a query means by a cell of its table. */
export function cellsAsked(
  sizes: readonly number[],
  query: TableQuery,
  labels: readonly string[],
): Set<number> {
  const allowed = sizes.map((size, index) => {
    const field = String.fromCharCode(97 + index);
    const axis = (query.by ?? []).findIndex((by) => by.field === field);
    const every = Array.from({ length: size }, (_, bin) => `${field}${bin}`);
    if (axis < 0) return query.where?.find((where) => where.field === field)?.labels ?? every;
    const label = labels[axis] ?? '';
    return query.by?.[axis]?.groups?.find((group) => group.label === label)?.labels ?? [label];
  });
  const total = sizes.reduce((product, size) => product * size, 1);
  const cells = Array.from({ length: total }, (_, cell) => cell);
  return new Set(
    cells.filter((cell) =>
      binsAt(sizes, cell).every((bin, index) =>
        allowed[index]?.includes(`${String.fromCharCode(97 + index)}${bin}`),
      ),
    ),
  );
}

const PRIME = 2_147_483_647n;

/**
 * Solves for sets of cells by elimination: the answer of a set is what it must add up to by all equations, `null`
 * where they leave it open. Modulo a prime, which finds at least all that follows over whole numbers but by a chance
 * of one in 2^31.
 */
export function solver(
  cells: number,
  equations: readonly Equation[],
): (asked: ReadonlySet<number>) => number | null {
  const rows = new Map<number, bigint[]>();
  for (const { cells: within, count } of equations) {
    const row = reduced(vectorOf(within, BigInt(count)), rows);
    const pivot = row.slice(0, cells).findIndex((value) => value !== 0n);
    if (pivot < 0) continue;
    const inverse = power(row[pivot] as bigint, PRIME - 2n);
    rows.set(
      pivot,
      row.map((value) => (value * inverse) % PRIME),
    );
  }
  return (asked) => {
    const row = reduced(vectorOf(asked, 0n), rows);
    if (row.slice(0, cells).some((value) => value !== 0n)) return null;
    return Number((PRIME - (row[cells] as bigint)) % PRIME);
  };

  function vectorOf(within: ReadonlySet<number>, count: bigint): bigint[] {
    return [...Array.from({ length: cells }, (_, cell) => (within.has(cell) ? 1n : 0n)), count];
  }
}

function reduced(row: readonly bigint[], rows: ReadonlyMap<number, readonly bigint[]>): bigint[] {
  let left = [...row];
  for (let cell = 0; cell < row.length - 1; cell += 1) {
    const [factor, pivot] = [left[cell] as bigint, rows.get(cell)];
    if (factor === 0n || pivot === undefined) continue;
    left = left.map((value, at) => (((value - factor * (pivot[at] as bigint)) % PRIME) + PRIME) % PRIME);
  }
  return left;
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base % PRIME];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

/** The narrowest bounds of each cell that follow from single equations, over and over, for numbers from 0 on. */
export function bounds(cells: number, equations: readonly Equation[]): { low: number[]; high: number[] } {
  const low = Array.from({ length: cells }, () => 0);
  const high = Array.from({ length: cells }, () => Infinity);
  for (let isNarrower = true; isNarrower;) {
    isNarrower = false;
    for (const { cells: within, count } of equations) {
      for (const cell of within) {
        const others = [...within].filter((other) => other !== cell);
        const most = count - others.reduce((sum, other) => sum + (low[other] as number), 0);
        const least = count - others.reduce((sum, other) => sum + (high[other] as number), 0);
        if (most < (high[cell] as number)) [high[cell], isNarrower] = [most, true];
        if (least > (low[cell] as number)) [low[cell], isNarrower] = [least, true];
      }
    }
  }
  return { low, high };
}
