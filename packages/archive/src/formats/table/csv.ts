import { toJson } from '../../container/content.ts';
import { csvText } from '../../csv-field.ts';
import type { OpenedEntries } from '../opened-entry.ts';
import { textPieces } from '../text-pieces.ts';
import { changesTable, type ChangesOptions } from './changes.ts';
import { statesTable, type StatesOptions } from './states.ts';
import type { Cell, Column, Table } from './table.ts';

/**
 * What was said in a collection, as CSV (RFC 4180) in UTF-8: a row for each message of a log, and for each change of a
 * record, in the order of the log. Without `fields` the entries are read twice. Docs/spec/derived-formats.md.
 */
export function csvTable(entries: OpenedEntries, options: ChangesOptions): AsyncIterable<Uint8Array> {
  return textPieces(lines(changesTable(entries, options, false)));
}

/** The records of a collection as they stand, as CSV: a row for each. They are all in memory at a time. */
export function csvStates(entries: OpenedEntries, options: StatesOptions): AsyncIterable<Uint8Array> {
  return textPieces(lines(statesTable(entries, options)));
}

async function* lines(made: Promise<Table>): AsyncGenerator<string, void, undefined> {
  const { columns, rows } = await made;
  yield line(columns.map(({ name, isField }) => csvText(isField ? `body.${name}` : name)));
  for await (const cells of rows) yield line(cells.map((cell, at) => textOf(cell, columns[at] as Column)));
}

/** Text as it is, times by ISO 8601, numbers and the like as JSON writes them, and everything else as JSON. */
function textOf(cell: Cell, { type }: Column): string {
  if (cell === undefined) return '';
  if (typeof cell === 'number') return type === 'time' ? new Date(cell).toISOString() : String(cell);
  return csvText(typeof cell === 'string' ? cell : JSON.stringify(toJson(cell)));
}

function line(fields: readonly string[]): string {
  return `${fields.join(',')}\r\n`;
}
