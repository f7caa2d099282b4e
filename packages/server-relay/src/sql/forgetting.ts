import { groupId, idBytes, orgId } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import type { EntryStore, FiledStatement } from '../entry-store.ts';
import type { SqlDatabase } from './database.ts';

type Forgetting = Pick<
  EntryStore,
  | 'newestDay'
  | 'listLogOrgs'
  | 'listLogDays'
  | 'firstDayHeld'
  | 'putExport'
  | 'putDeletion'
  | 'listDeletions'
  | 'listExports'
  | 'listFloors'
  | 'readStatementBefore'
  | 'keepFloor'
  | 'readFloor'
  | 'forgetDays'
  | 'dropForgotten'
>;

/** Days that share a table of message ids. */
const PERIOD_DAYS = 32;

/** The part of the store that forgets group logs day by day. */
export function sqlForgetting(database: SqlDatabase): Forgetting {
  async function drop(
    name: string,
    days: { ofClass: number | null; first: number; last: number },
  ): Promise<boolean> {
    const parent = name.slice(0, name.lastIndexOf('_'));
    try {
      const [row] = await database.query('select drop_if_empty($1, $2, $3, $4, $5) as dropped', [
        parent,
        name,
        days.ofClass,
        days.first,
        days.last,
      ]);
      return row?.['dropped'] === true;
    } catch {
      return false;
    }
  }

  return {
    async newestDay() {
      const [row] = await database.query('select max(day) as day from log_days');
      return (row?.['day'] ?? null) as number | null;
    },
    async listLogOrgs() {
      const rows = await database.query(
        'select org from day_keys union select org from log_days where class = 0',
      );
      return rows.map((row) => orgId(row['org'] as Uint8Array));
    },
    async listLogDays(org, throughDay) {
      const rows = await database.query('select * from list_log_days($1, $2)', [idBytes(org), throughDay]);
      return rows.map((row) => ({
        group: groupId(row['out_grp'] as Uint8Array),
        day: row['out_day'] as number,
        firstSeq: row['out_first_seq'] as number,
        lastSeq: row['out_last_seq'] as number,
        exportedThrough: row['out_exported'] as number,
      }));
    },
    async firstDayHeld(org) {
      const [row] = await database.query(
        // The day of the first entry that is not exported; where that is forgotten, the first that is left.
        `select min(coalesce(
           (select d.day from log_days d where d.org = g.org and d.grp = g.grp and d.first_seq <= s.exported + 1
            order by d.first_seq desc limit 1),
           (select d.day from log_days d where d.org = g.org and d.grp = g.grp order by d.first_seq limit 1))) as day
         from groups g cross join lateral (
           select coalesce(max(e.through_seq), 0) as exported from exports e where e.org = g.org and e.grp = g.grp) s
         where g.org = $1 and g.head_seq > s.exported`,
        [idBytes(org)],
      );
      return (row?.['day'] ?? null) as number | null;
    },
    async putExport({ org, group, device, throughSeq, wire }, size) {
      // An entry of the membership log that is on its way comes before or after this, and never in between.
      const rows = await database.query(
        `with as_of as (select 1 from organisations where org = $1 and log_size = $6 for share)
         insert into exports (org, grp, device, through_seq, wire)
         select $1, $2, $3, $4, $5 from as_of on conflict (org, grp, device) do update
         set through_seq = excluded.through_seq, wire = excluded.wire returning device`,
        [idBytes(org), idBytes(group), idBytes(device), throughSeq, wire, size],
      );
      return rows.length > 0;
    },
    async putDeletion(org, group, lastSeq, wire) {
      await database.query(
        `insert into deletions (org, grp, last_seq, wire, release)
         select $1, $2, $3::bigint, $4, (select e.wire from exports e
           where e.org = $1 and e.grp = $2 and e.through_seq >= $3::bigint order by e.through_seq limit 1)
         on conflict do nothing`,
        [idBytes(org), idBytes(group), lastSeq, wire],
      );
    },
    async listDeletions(org) {
      const rows = await database.query(
        `select grp, last_seq, wire from deletions where org = $1 order by last_seq desc limit ${LIMITS.deletions}`,
        [idBytes(org)],
      );
      return rows.map((row) => ({
        group: groupId(row['grp'] as Uint8Array),
        lastSeq: row['last_seq'] as number,
        wire: row['wire'] as Uint8Array,
      }));
    },
    async listExports(org) {
      const rows = await database.query(
        `select wire from (select wire from exports where org = $1 order by through_seq desc limit ${LIMITS.deletions}) said
         union
         select release from (select release from deletions where org = $1 order by last_seq desc limit ${LIMITS.deletions}) gone
         where release is not null`,
        [idBytes(org)],
      );
      return rows.map((row) => row['wire'] as Uint8Array);
    },
    async listFloors(org, throughDay) {
      const rows = await database.query('select * from list_floors($1, $2)', [idBytes(org), throughDay]);
      return rows.map((row) => ({
        group: groupId(row['out_grp'] as Uint8Array),
        firstSeq: row['out_floor'] as number,
        nextFirstSeq: row['out_next'] as number,
      }));
    },
    async readStatementBefore(org, group, seq) {
      const [row] = await database.query('select * from statement_before($1, $2, $3)', [
        idBytes(org),
        idBytes(group),
        seq,
      ]);
      return row === undefined ? null : statementIn(row);
    },
    async keepFloor({ org, group, firstSeq, epoch, messageId, day, bytes, frontier }) {
      await database.query(
        `insert into log_floors values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (org, grp, first_seq) do update
         set epoch = excluded.epoch, message_id = excluded.message_id, day = excluded.day, bytes = excluded.bytes,
             -- A tree of so many entries is always the same: what one node could read, another may find gone. After
             -- another statement they are other entries.
             frontier = coalesce(excluded.frontier, case
               when log_floors.epoch = excluded.epoch and log_floors.message_id = excluded.message_id
               then log_floors.frontier end)`,
        [idBytes(org), idBytes(group), firstSeq, epoch, messageId, day, bytes, frontier],
      );
    },
    async readFloor(org, group) {
      const [row] = await database.query('select * from read_floor($1, $2)', [idBytes(org), idBytes(group)]);
      if (row === undefined) return null;
      return {
        ...statementIn(row),
        firstSeq: row['out_first_seq'] as number,
        frontier: row['out_frontier'] as Uint8Array | null,
      };
    },
    async forgetDays(org, throughDay) {
      const rows = await database.query('select * from forget_days($1, $2)', [idBytes(org), throughDay]);
      return rows.map((row) => ({
        group: groupId(row['out_grp'] as Uint8Array),
        firstSeq: row['out_first_seq'] as number,
        lastSeq: row['out_last_seq'] as number,
      }));
    },
    async dropForgotten(beforeDay) {
      const rows = await database.query(
        `select c.relname::text as name from pg_class c join pg_inherits i on i.inhrelid = c.oid
         where c.relkind = 'r' and c.relname ~ '^(entries|boxes)_[0-9]+_[0-9]+$|^message_ids_[0-9]+$'
         order by 1`,
      );
      let dropped = 0;
      for (const { name } of rows as readonly { name: string }[]) {
        const [last = 0, before = 0] = name.split('_').slice(1).map(Number).toReversed();
        const days = name.startsWith('message')
          ? { ofClass: null, first: last * PERIOD_DAYS, last: last * PERIOD_DAYS + PERIOD_DAYS - 1 }
          : { ofClass: before, first: last, last };
        if (days.last < beforeDay && (await drop(name, days))) dropped += 1;
      }
      return dropped;
    },
  };
}

function statementIn(row: Readonly<Record<string, unknown>>): FiledStatement {
  return {
    epoch: row['out_epoch'] as number,
    day: row['out_day'] as number | null,
    messageId: row['out_message_id'] as Uint8Array,
    bytes: row['out_bytes'] as Uint8Array,
  };
}
