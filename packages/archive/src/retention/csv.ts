import { toHex } from '@keytide/crypto-core';
import { csvText } from '../csv-field.ts';
import type { RetentionLedger } from './ledger.ts';

const COLUMNS =
  'first_seq,last_seq,written_from,written_to,due,state,todo,archives,acknowledged_by,acknowledged,waived_by,deleted,receipt,findings';

/** A ledger as a CSV file (RFC 4180), a line for each row; times are ISO 8601, the receipt is its SHA-256. */
export function ledgerCsv({ rows, archives }: RetentionLedger): string {
  const lines = rows.map((row) => {
    const { acknowledged, deletion, waivedBy } = row;
    const [first] = acknowledged;
    return [
      ...[`${row.firstSeq}`, `${row.lastSeq}`, iso(row.writtenFromMs), iso(row.writtenToMs), iso(row.dueMs)],
      ...[row.state, row.todo ?? ''],
      row.archives.map((place) => toHex(archives[place]?.id ?? new Uint8Array())).join(' '),
      acknowledged.map(({ by }) => by.handle).join('; '),
      iso(first?.exportedMs ?? null),
      waivedBy === null ? '' : `${waivedBy}`,
      iso(deletion?.deletedMs ?? null),
      deletion === null ? '' : toHex(deletion.hash),
      row.findings.join(' '),
    ].map(csvText);
  });
  return [COLUMNS, ...lines.map((fields) => fields.join(','))].map((line) => `${line}\r\n`).join('');
}

/** Nothing outside what a calendar can hold: times are anybody's word. */
function iso(ms: number | null): string {
  const date = new Date(ms ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}
