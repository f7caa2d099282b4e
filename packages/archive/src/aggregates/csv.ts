import { csvText } from '../csv-field.ts';
import type { AggregateTable, TableNumbers } from './table.ts';

/**
 * A table as CSV (RFC 4180, with a header, lines end with CR LF). A cell without a number says why in `withheld`.
 * Cells that have one together carry its number in `together`, as does the row that follows for them, without labels.
 * Text that a spreadsheet would take for a formula gets an apostrophe in front.
 */
export function tableCsv(table: AggregateTable): string {
  const { by, measures, cells, together } = table;
  const numbers = (found: TableNumbers | null): string[] =>
    (found === null ? ['', ...measures.map(() => '')] : [found.count, ...found.sums]).map(String);
  const rows = [
    [...by.map(csvText), 'count', ...measures.map(csvText), 'withheld', 'together'],
    ...cells.map((cell) => [
      ...cell.labels.map(csvText),
      ...numbers(cell.numbers),
      cell.withheld ?? '',
      cell.together === null ? '' : String(cell.together + 1),
    ]),
    ...together.map((union, place) => [
      ...by.map(() => ''),
      ...numbers(union.numbers),
      '',
      String(place + 1),
    ]),
  ];
  return rows.map((row) => `${row.join(',')}\r\n`).join('');
}
