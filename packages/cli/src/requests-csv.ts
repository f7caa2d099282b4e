import { REQUEST_COLUMNS as COLUMNS } from './choices.ts';
import { csvRecords, type CsvRecord } from './csv-records.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { requestSchema, type HelpRequest } from './organisation.ts';

type Column = (typeof COLUMNS)[number];

/** Why a row was left out. Never holds a cell's content. */
export interface RefusedRow {
  /** The line of the file on which the row begins, from 1. */
  readonly line: number;
  /** The column at fault, or `null` when it is the row as a whole. */
  readonly column: Column | null;
  readonly reason: string;
}

/** What a requests file holds. */
export interface RequestsFile {
  readonly requests: readonly HelpRequest[];
  readonly refused: readonly RefusedRow[];
}

/**
 * Reads a requests file: UTF-8 with or without byte order mark, RFC 4180. Bad rows are refused one by one.
 * @throws CliError `not-a-requests-file` when the first line does not name the columns
 */
export function parseRequestsCsv(bytes: Uint8Array): RequestsFile {
  const requests: HelpRequest[] = [];
  const refused: RefusedRow[] = [];
  let columns: readonly Column[] | null = null;
  for (const record of csvRecords(new TextDecoder().decode(bytes))) {
    if (columns === null) {
      columns = columnsOf(record);
      continue;
    }
    const row = requestOf(record, columns);
    if ('reason' in row) refused.push(row);
    else requests.push(row);
  }
  if (columns === null) throw notRequests('it is empty');
  return { requests, refused };
}

function columnsOf({ cells }: CsvRecord): readonly Column[] {
  const names = (cells ?? []).map((cell) => cell.trim());
  const missing = COLUMNS.filter((column) => !names.includes(column));
  if (missing.length === COLUMNS.length) throw notRequests('its first line names none of the columns');
  if (missing.length > 0) throw notRequests(`its first line does not name ${missing.join(', ')}`);
  if (names.length > COLUMNS.length) throw notRequests('its first line names a column too many');
  return names as Column[];
}

function notRequests(problem: string): CliError {
  const next = `The first line must be these names, separated by commas: ${COLUMNS.join(',')}.`;
  return new CliError('not-a-requests-file', EXIT.usage, `this is not a file of requests: ${problem}`, next);
}

function requestOf({ line, cells }: CsvRecord, columns: readonly Column[]): HelpRequest | RefusedRow {
  if (cells === null) return { line, column: null, reason: 'a quotation mark is open or out of place' };
  if (cells.length !== columns.length) {
    return { line, column: null, reason: `${cells.length} cells instead of ${columns.length}` };
  }
  const cell = (column: Column): string => cells[columns.indexOf(column)] as string;
  const notText = COLUMNS.find((column) => cell(column).includes('\u{fffd}'));
  if (notText !== undefined) return { line, column: notText, reason: 'not valid UTF-8' };
  const request = {
    lat: coordinate(cell('lat')),
    lng: coordinate(cell('lng')),
    title: cell('title'),
    reportedAt: cell('reportedAt'),
    township: cell('township'),
    address: cell('address'),
    status: 'open' as const,
  };
  if (Number.isNaN(request.lat)) return { line, column: 'lat', reason: 'not a number' };
  if (Number.isNaN(request.lng)) return { line, column: 'lng', reason: 'not a number' };
  if (request.title.trim() === '') return { line, column: 'title', reason: 'missing' };
  const checked = requestSchema.safeParse(request);
  if (checked.success) return checked.data;
  const column = checked.error.issues[0]?.path[0] as Column;
  return { line, column, reason: column === 'lat' || column === 'lng' ? 'out of range' : 'too long' };
}

/** A decimal number, `null` for an empty cell, NaN for anything else. */
export function coordinate(text: string): number | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  // Adding 0 turns -0, which has no canonical encoding, into 0.
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(trimmed) ? Number(trimmed) + 0 : Number.NaN;
}
