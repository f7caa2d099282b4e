import { idBytes } from '@keytide/crypto-core';
import type { EntryKind } from '@keytide/relay-protocol';
import type { EntryStore } from '../entry-store.ts';
import type { SqlDatabase } from './database.ts';
import { sqlWrappedKeys } from './wrapped-keys.ts';

const KINDS: readonly EntryKind[] = ['envelope', 'statement'];

/** A page of a group's log ends at the entry that passes this, so with a statement it stays below 2 MiB. */
const PAGE_BYTES = 524_288;
const PAGE_ENTRIES = 500;

/** The part of the store that reads group logs, and keeps the keys of their days. */
export function sqlEntries(
  database: SqlDatabase,
): Pick<
  EntryStore,
  'readEntries' | 'readNewestStatement' | 'readBox' | 'readDayKey' | 'addDayKey' | 'wrappedDayKeys'
> {
  return {
    async readEntries(org, group, afterSeq) {
      // One statement, so that the head and the entries are of one moment.
      const rows = await database.query(
        `select * from read_entries($1, $2, $3, ${PAGE_ENTRIES}, ${PAGE_BYTES})`,
        [idBytes(org), idBytes(group), afterSeq],
      );
      const [first] = rows;
      const entries = rows
        .filter((row) => row['out_seq'] !== null)
        .map((row) => ({
          seq: row['out_seq'] as number,
          kind: KINDS[row['out_kind'] as number] as EntryKind,
          messageId: row['out_message_id'] as Uint8Array,
          bytes: row['out_bytes'] as Uint8Array,
        }));
      return {
        entries,
        day: (first?.['out_day'] ?? null) as number | null,
        headSeq: (first?.['out_head_seq'] ?? 0) as number,
        epoch: (first?.['out_epoch'] ?? 0) as number,
      };
    },
    async readNewestStatement(org, group) {
      const [row] = await database.query('select * from newest_statement($1, $2)', [
        idBytes(org),
        idBytes(group),
      ]);
      if (row === undefined) return null;
      return {
        epoch: row['out_epoch'] as number,
        day: row['out_day'] as number | null,
        messageId: row['out_message_id'] as Uint8Array,
        bytes: row['out_bytes'] as Uint8Array,
      };
    },
    async readBox({ org, group, epoch, device }) {
      const [row] = await database.query('select * from read_box($1, $2, $3, $4)', [
        idBytes(org),
        idBytes(group),
        epoch,
        idBytes(device),
      ]);
      if (row === undefined) return null;
      return { day: row['out_day'] as number | null, bytes: row['out_box'] as Uint8Array };
    },
    async readDayKey(org, day) {
      const [row] = await database.query(
        'select wrapping_key, wrapped from day_keys where org = $1 and day = $2',
        [idBytes(org), day],
      );
      if (row === undefined) return null;
      return { wrappingKey: row['wrapping_key'] as string, wrapped: row['wrapped'] as Uint8Array };
    },
    wrappedDayKeys: sqlWrappedKeys(database, 'day_keys', 'day'),
    async addDayKey(org, day, { wrappingKey, wrapped }) {
      await database.query('insert into day_keys values ($1, $2, $3, $4) on conflict do nothing', [
        idBytes(org),
        day,
        wrappingKey,
        wrapped,
      ]);
    },
  };
}
