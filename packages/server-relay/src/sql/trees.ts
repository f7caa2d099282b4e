import { groupId, idBytes } from '@keytide/crypto-core';
import type { EntryStore } from '../entry-store.ts';
import type { SqlDatabase } from './database.ts';

/** Days of logs in one answer. */
const PAGE_DAYS = 500;

/** The part of the store that keeps the trees of group logs at the ends of their days. */
export function sqlTrees(database: SqlDatabase): Pick<EntryStore, 'listDayTrees' | 'keepTree' | 'readTree'> {
  return {
    async listDayTrees(org, beforeDay, after) {
      const rows = await database.query(
        `select s.grp, s.first_seq, s.last_seq from (
           select d.grp, d.day, d.first_seq, d.tree_size,
                  coalesce(lead(d.first_seq) over (partition by d.grp order by d.first_seq) - 1, g.head_seq) as last_seq
           from log_days d join groups g on g.org = d.org and g.grp = d.grp
           where d.org = $1 and d.grp >= $3
         ) s
         where s.day < $2 and coalesce(s.tree_size, 0) < s.last_seq and (s.grp, s.first_seq) > ($3, $4)
         order by s.grp, s.first_seq limit ${PAGE_DAYS}`,
        [
          idBytes(org),
          beforeDay,
          after === null ? new Uint8Array(0) : idBytes(after.group),
          after?.firstSeq ?? 0,
        ],
      );
      return rows.map((row) => ({
        group: groupId(row['grp'] as Uint8Array),
        firstSeq: row['first_seq'] as number,
        lastSeq: row['last_seq'] as number,
      }));
    },
    async keepTree(org, group, firstSeq, { size, frontier }) {
      await database.query(
        `update log_days set tree_size = $4, frontier = $5
         where org = $1 and grp = $2 and first_seq = $3 and coalesce(tree_size, 0) < $4`,
        [idBytes(org), idBytes(group), firstSeq, size, frontier],
      );
    },
    async readTree(org, group, size) {
      const [row] = await database.query(
        `(select d.tree_size as size, d.frontier from log_days d
          where d.org = $1 and d.grp = $2 and d.first_seq <= $3 and d.tree_size <= $3
          order by d.first_seq desc limit 1)
         union all
         -- Where the log begins, and no other: one that a restore brought may be of other entries.
         (select f.out_first_seq - 1, f.out_frontier from read_floor($1, $2) f
          where f.out_first_seq <= $3 + 1 and f.out_frontier is not null)
         order by 1 desc limit 1`,
        [idBytes(org), idBytes(group), size],
      );
      if (row === undefined) return null;
      return { size: row['size'] as number, frontier: row['frontier'] as Uint8Array };
    },
  };
}
