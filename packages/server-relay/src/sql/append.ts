import { concatBytes, idBytes } from '@keytide/crypto-core';
import type {
  Announcement,
  EntryStore,
  EnvelopeAppend,
  Filed,
  Filing,
  FilingVerdict,
} from '../entry-store.ts';
import { RelayError } from '../errors.ts';
import { integerArray, startsOf, type SqlDatabase, type SqlRow } from './database.ts';
import { sqlStateOf } from './sql-state.ts';

type Item = EnvelopeAppend & Filed;

/** What PostgreSQL says to a row that no table takes. */
const NO_TABLE = '23514';
/** What it says to whoever makes a table at the same time as somebody else, and did not see it in time. */
const TABLE_THERE = '42P07';
/** Somebody else can be first with the tables of the class, and with those of the day. */
const ATTEMPTS = 3;

/** The part of the store that adds to group logs. */
export function sqlAppends(database: SqlDatabase): Pick<EntryStore, 'appendEnvelopes' | 'announceEpoch'> {
  /** Which tables are there, as far as this process knows. */
  const made = new Set<string>();

  async function makeTables(filings: readonly Filing[]): Promise<void> {
    for (const { retentionClass, day } of filings) {
      const name = `${retentionClass} ${day}`;
      if (made.has(name)) continue;
      await makeDay(retentionClass, day);
      made.add(name);
    }
  }

  /** At midnight every lane of every node comes at once. */
  async function makeDay(retentionClass: number, day: number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await database.query('select make_day($1, $2)', [retentionClass, day]);
        return;
      } catch (error) {
        if (sqlStateOf(error) !== TABLE_THERE || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Runs `work` with the tables that it takes. One that another process dropped is made again, once. */
  async function withTables<T>(filings: readonly Filing[], work: () => Promise<T>): Promise<T> {
    await makeTables(filings);
    try {
      return await work();
    } catch (error) {
      if (sqlStateOf(error) !== NO_TABLE) throw error;
      made.clear();
      await makeTables(filings);
      return await work();
    }
  }

  return {
    /** In one statement: one item by the short way, many as one byte string that the database cuts. */
    async appendEnvelopes(items) {
      const [first] = items;
      if (first === undefined) return [];
      const filings = items.map(({ filing }) => filing);
      const rows = await withTables(filings, () =>
        items.length === 1 ? appendOne(database, first) : appendMany(database, items),
      );
      return rows.map(verdictOf);
    },
    announceEpoch: (announcement) =>
      withTables([announcement.filing], async () => {
        const [row] = await announce(database, announcement);
        return verdictOf(row as SqlRow);
      }),
  };
}

function announce(
  database: SqlDatabase,
  { org, group, epoch, messageId, digest, statement, boxes, filing }: Announcement & Filed,
): Promise<readonly SqlRow[]> {
  const sizes = boxes.map(({ box }) => box.length);
  return database.query(
    'select * from announce_epoch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)',
    [
      idBytes(org),
      idBytes(group),
      epoch,
      messageId,
      digest,
      statement,
      concatBytes(...boxes.map(({ device }) => idBytes(device))),
      integerArray(startsOf(sizes)),
      integerArray(sizes),
      concatBytes(...boxes.map(({ box }) => box)),
      filing.day,
      filing.retentionClass,
      filing.sinceDay,
    ],
  );
}

function appendOne(
  database: SqlDatabase,
  { org, group, epoch, messageId, digest, envelope, filing }: Item,
): Promise<readonly SqlRow[]> {
  return database.query('select * from append_entry($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
    idBytes(org),
    idBytes(group),
    epoch,
    messageId,
    digest,
    envelope,
    filing.day,
    filing.retentionClass,
    filing.sinceDay,
  ]);
}

/** The items of a group share the filing of its first one that has the newest day; the others are to be sealed again. */
function appendMany(database: SqlDatabase, items: readonly Item[]): Promise<readonly SqlRow[]> {
  const groups = new Map<string, { number: number; key: Uint8Array; filing: Filing }>();
  const groupNumbers = items.map(({ org, group, filing }) => {
    const known = groups.get(org + group);
    if (known !== undefined) return known.number;
    const number = groups.size + 1;
    groups.set(org + group, { number, key: concatBytes(idBytes(org), idBytes(group)), filing });
    return number;
  });
  const filings = Array.from(groups.values(), ({ filing }) => filing);
  const sizes = items.map(({ envelope }) => envelope.length);
  return database.query('select * from append_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)', [
    concatBytes(...Array.from(groups.values(), ({ key }) => key)),
    integerArray(filings.map(({ day }) => day)),
    integerArray(filings.map(({ retentionClass }) => retentionClass)),
    integerArray(filings.map(({ sinceDay }) => sinceDay)),
    integerArray(groupNumbers),
    integerArray(items.map(({ epoch }) => epoch)),
    concatBytes(...items.map(({ messageId }) => messageId)),
    concatBytes(...items.map(({ digest }) => digest)),
    integerArray(startsOf(sizes)),
    integerArray(sizes),
    concatBytes(...items.map(({ envelope }) => envelope)),
  ]);
}

/** The numbers of `out_verdict` in migrations/0009-days.sql. */
function verdictOf(row: SqlRow): FilingVerdict {
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
    case 5:
      return { sealAgainFor: seq };
    default:
      throw new RelayError('database-failed', 'an append without a verdict');
  }
}
