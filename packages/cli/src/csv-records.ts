import { parse } from 'csv-parse/sync';

/** One record of a file and the line it begins on, from 1; `null` cells where it is not RFC 4180. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[] | null;
}

/** No honest record is longer; bounds how far an open quote reaches. */
const MAX_RECORD_CHARACTERS = 64 * 1024;

/**
 * Splits a file into records (RFC 4180; LF or CRLF; blank lines skipped). A record that spans lines and turns
 * out broken costs only its first line: reading goes on with the next, so a forgotten quote does not swallow
 * the rows below it.
 */
export function* csvRecords(text: string): Generator<CsvRecord, void, undefined> {
  const lines = text.split('\n');
  for (let index = 0; index < lines.length;) {
    const { record, lineCount } = recordAt(lines, index);
    const line = index + 1;
    if (record.trim() === '') {
      index += 1;
      continue;
    }
    const cells = cellsOf(record);
    index += cells === null ? 1 : lineCount;
    yield { line, cells };
  }
}

/** Lines are joined until their quotes pair up. */
function recordAt(lines: readonly string[], start: number): { record: string; lineCount: number } {
  const first = lines[start] as string;
  let quotes = countQuotes(first);
  if (quotes % 2 === 0) return { record: first, lineCount: 1 };
  const parts = [first];
  let sizeCharacters = first.length;
  for (let next = start + 1; next < lines.length && sizeCharacters <= MAX_RECORD_CHARACTERS; next += 1) {
    const line = lines[next] as string;
    parts.push(line);
    sizeCharacters += line.length + 1;
    quotes += countQuotes(line);
    if (quotes % 2 === 0) return { record: parts.join('\n'), lineCount: parts.length };
  }
  return { record: first, lineCount: 1 };
}

function countQuotes(line: string): number {
  let count = 0;
  for (let at = line.indexOf('"'); at >= 0; at = line.indexOf('"', at + 1)) count += 1;
  return count;
}

function cellsOf(record: string): readonly string[] | null {
  try {
    const records = parse(record.replace(/\r$/, ''), {
      relax_column_count: true,
      record_delimiter: ['\r\n', '\n'],
    });
    return records.length === 1 ? (records[0] as string[]) : null;
  } catch {
    return null;
  }
}
