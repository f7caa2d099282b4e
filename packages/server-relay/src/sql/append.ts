import { concatBytes, idBytes } from '@keytide/crypto-core';
import { RelayError } from '../errors.ts';
import type { Announcement, AppendVerdict, EnvelopeAppend } from '../store.ts';
import { integerArray, startsOf, type SqlDatabase, type SqlRow } from './database.ts';

/** Appends in one statement: one item by the short way, many as one byte string that the database cuts. */
export async function appendEnvelopes(
  database: SqlDatabase,
  items: readonly EnvelopeAppend[],
  nowMs: number,
): Promise<readonly AppendVerdict[]> {
  const [first] = items;
  if (first === undefined) return [];
  const rows =
    items.length === 1 ? await appendOne(database, first, nowMs) : await appendMany(database, items, nowMs);
  return rows.map(verdictOf);
}

/** Stores a statement with its boxes in one statement. */
export async function announceEpoch(
  database: SqlDatabase,
  { org, group, epoch, messageId, statement, boxes }: Announcement,
  nowMs: number,
): Promise<AppendVerdict> {
  const sizes = boxes.map(({ box }) => box.length);
  const [row] = await database.query(
    'select * from announce_epoch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
    [
      idBytes(org),
      idBytes(group),
      epoch,
      messageId,
      statement,
      concatBytes(...boxes.map(({ device }) => idBytes(device))),
      integerArray(startsOf(sizes)),
      integerArray(sizes),
      concatBytes(...boxes.map(({ box }) => box)),
      nowMs,
    ],
  );
  return verdictOf(row as SqlRow);
}

function appendOne(
  database: SqlDatabase,
  { org, group, epoch, messageId, envelope }: EnvelopeAppend,
  nowMs: number,
): Promise<readonly SqlRow[]> {
  return database.query('select * from append_entry($1, $2, $3, $4, $5, $6)', [
    idBytes(org),
    idBytes(group),
    epoch,
    messageId,
    envelope,
    nowMs,
  ]);
}

function appendMany(
  database: SqlDatabase,
  items: readonly EnvelopeAppend[],
  nowMs: number,
): Promise<readonly SqlRow[]> {
  const groups = new Map<string, { number: number; key: Uint8Array }>();
  const groupNumbers = items.map(({ org, group }) => {
    const known = groups.get(org + group);
    if (known !== undefined) return known.number;
    const number = groups.size + 1;
    groups.set(org + group, { number, key: concatBytes(idBytes(org), idBytes(group)) });
    return number;
  });
  const sizes = items.map(({ envelope }) => envelope.length);
  return database.query('select * from append_entries($1, $2, $3, $4, $5, $6, $7, $8)', [
    concatBytes(...Array.from(groups.values(), ({ key }) => key)),
    integerArray(groupNumbers),
    integerArray(items.map(({ epoch }) => epoch)),
    concatBytes(...items.map(({ messageId }) => messageId)),
    integerArray(startsOf(sizes)),
    integerArray(sizes),
    concatBytes(...items.map(({ envelope }) => envelope)),
    nowMs,
  ]);
}

/** The numbers of `out_verdict` in migrations/0001-relay.sql. */
function verdictOf(row: SqlRow): AppendVerdict {
  const seq = row['out_seq'] as number;
  switch (row['out_verdict']) {
    case 0:
      return { seq, repeated: false };
    case 1:
      return { seq, repeated: true };
    case 2:
      return { refused: 'message-id-reused' };
    case 3:
      return { refused: 'unknown-epoch' };
    case 4:
      return { refused: 'epoch-taken' };
    default:
      throw new RelayError('database-failed', 'an append without a verdict');
  }
}
