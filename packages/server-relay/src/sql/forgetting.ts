import { groupId, idBytes, orgId } from '@keytide/crypto-core';
import type { EntryStore } from '../entry-store.ts';
import type { SqlDatabase } from './database.ts';

type Forgetting = Pick<
  EntryStore,
  'listLogOrgs' | 'listSilentGroups' | 'keepStatement' | 'forgetDays' | 'dropForgotten'
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
    async listLogOrgs() {
      const rows = await database.query(
        'select org from day_keys union select org from log_days where class = 0',
      );
      return rows.map((row) => orgId(row['org'] as Uint8Array));
    },
    async listSilentGroups(org, throughDay) {
      // The newest statement goes with the stretch that it is in, or with the day for which it was kept.
      const rows = await database.query(
        `select g.grp from groups g where g.org = $1 and g.epoch > 0 and (
           exists (select 1 from kept_statements k
                   where k.org = g.org and k.grp = g.grp and k.epoch = g.epoch and k.day <= $2)
           or (select d.day from statements s
                 join log_days d on d.org = s.org and d.grp = s.grp and d.first_seq <= s.seq
               where s.org = g.org and s.grp = g.grp and s.epoch = g.epoch
               order by d.first_seq desc limit 1) <= $2)`,
        [idBytes(org), throughDay],
      );
      return rows.map((row) => groupId(row['grp'] as Uint8Array));
    },
    async keepStatement({ org, group, epoch, messageId, day, bytes }) {
      await database.query(
        `insert into kept_statements values ($1, $2, $3, $4, $5, $6) on conflict (org, grp) do update
         set epoch = excluded.epoch, message_id = excluded.message_id, day = excluded.day, bytes = excluded.bytes`,
        [idBytes(org), idBytes(group), epoch, messageId, day, bytes],
      );
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
