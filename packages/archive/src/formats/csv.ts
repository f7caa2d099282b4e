import type { CborValue } from '@keytide/crypto-core';
import { toJson } from '../container/content.ts';
import { csvText } from '../csv-field.ts';
import { operationIn, type Operation } from './operation.ts';
import type { MessageEntry, OpenedEntries, OpenedEntry } from './opened-entry.ts';
import { textPieces } from './text-pieces.ts';

const COLUMNS = [
  ...['group', 'seq', 'time', 'counter', 'act', 'item', 'name', 'member', 'role', 'device', 'invalid'],
] as const;

/** What is said of which collection; columns for these fields of its bodies, or for all, as they are met. */
export interface CsvOptions {
  readonly collection: string;
  readonly fields?: readonly string[];
}

/**
 * What was said in a collection, as CSV (RFC 4180) in UTF-8: a row for each message of a log, and for each change of a
 * record, in the order of the log. Without `fields` the entries are read twice. Docs/spec/derived-formats.md.
 */
export function csvTable(entries: OpenedEntries, options: CsvOptions): AsyncIterable<Uint8Array> {
  return textPieces(rows(entries, options));
}

async function* rows(
  entries: OpenedEntries,
  { collection, fields: chosen }: CsvOptions,
): AsyncGenerator<string, void, undefined> {
  const fields = chosen ?? (await fieldsOf(entries, collection));
  yield row([...COLUMNS, ...fields.map((field) => csvText(`body.${field}`))]);
  for await (const said of saidIn(entries, collection)) yield row([...before(said), ...cells(said, fields)]);
}

async function fieldsOf(entries: OpenedEntries, collection: string): Promise<string[]> {
  const fields = new Set<string>();
  for await (const { operation } of saidIn(entries, collection))
    for (const field of Object.keys(operation.body)) fields.add(field);
  return [...fields];
}

interface Said extends Pick<OpenedEntry, 'group' | 'name'> {
  readonly entry: MessageEntry;
  readonly operation: Operation;
}

async function* saidIn(entries: OpenedEntries, collection: string): AsyncGenerator<Said, void, undefined> {
  for await (const { group, name, entry } of entries()) {
    if (entry.kind !== 'message') continue;
    const operation = operationIn(entry.payload);
    if (operation?.collection === collection) yield { group, name, entry, operation };
  }
}

function before({ group, name, entry, operation }: Said): string[] {
  const { seq, member, role, sender, invalid } = entry;
  const { ms, counter, act, item } = operation;
  return [
    ...[group, String(seq), new Date(ms).toISOString(), String(counter), act, csvText(item)],
    ...[csvText(name ?? ''), member, role, sender, csvText(invalid ?? '')],
  ];
}

function cells({ operation: { body } }: Said, fields: readonly string[]): string[] {
  return fields.map((field) => (Object.hasOwn(body, field) ? cell(body[field] as CborValue) : ''));
}

/** Text as it is, numbers and the like as JSON writes them, and everything else as JSON. */
function cell(value: CborValue): string {
  if (typeof value === 'number') return String(value);
  return csvText(typeof value === 'string' ? value : JSON.stringify(toJson(value)));
}

function row(fields: readonly string[]): string {
  return `${fields.join(',')}\r\n`;
}
