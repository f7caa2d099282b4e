import type { AggregateTable, TableNumbers } from './table.ts';

/** What a chart draws as one: a cell, or cells that have a number together. */
export interface ChartItem {
  readonly label: string;
  /** The same for an axis: the first and the last of several. */
  readonly span: string;
  /** The number as text, or that and why there is none. */
  readonly said: string;
  readonly value: number | null;
  /** Places in the table, ascending. */
  readonly cells: readonly number[];
}

/** The cells of a table in order; those with one number together where the first of them stands. */
export function chartItems(table: AggregateTable, measure: number | null): readonly ChartItem[] {
  const numberOf = ({ count, sums }: TableNumbers): number =>
    measure === null ? count : (sums[measure] ?? 0);
  const labelOf = (cell: number): string => table.cells[cell]?.labels.join(' · ') || 'all';
  return table.cells.flatMap(({ numbers, withheld, together }, cell): ChartItem[] => {
    const union = together === null ? undefined : table.together[together];
    const cells = union?.cells ?? [cell];
    if (cells[0] !== cell) return [];
    const label = cells.map(labelOf).join(' + ');
    const span = cells.length > 2 ? `${labelOf(cell)} … ${labelOf(cells[cells.length - 1] ?? cell)}` : label;
    const found = numbers ?? union?.numbers;
    const value = found === undefined ? null : numberOf(found);
    const said = value === null ? `withheld (${withheld})` : `${value}${cells.length > 1 ? ' together' : ''}`;
    return [{ label, span, said, value, cells }];
  });
}
