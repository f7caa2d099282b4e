import type { ClockDoubt } from '../clock-watch.ts';
import type { SqlDatabase } from './database.ts';

/** The doubt in a clock, in the database that is forgotten by it. */
export function sqlClockDoubt(database: Pick<SqlDatabase, 'query'>): ClockDoubt {
  return {
    async read() {
      const [row] = await database.query('select left_ms, seen_day from clock_doubt');
      return {
        leftMs: (row?.['left_ms'] ?? 0) as number,
        seenDay: (row?.['seen_day'] ?? null) as number | null,
      };
    },
    async write({ leftMs, seenDay }, beforeMs) {
      await database.query(
        `insert into clock_doubt (left_ms, seen_day) values ($1, $2) on conflict (one) do update
         set left_ms = excluded.left_ms, seen_day = excluded.seen_day
         where clock_doubt.left_ms = $3 or clock_doubt.left_ms < excluded.left_ms`,
        [Math.ceil(leftMs), seenDay, Math.ceil(beforeMs)],
      );
    },
  };
}
