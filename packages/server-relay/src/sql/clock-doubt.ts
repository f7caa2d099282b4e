import type { ClockDoubt } from '../clock-watch.ts';
import type { SqlDatabase } from './database.ts';

/** The doubt in a clock, in the database that is forgotten by it. */
export function sqlClockDoubt(database: Pick<SqlDatabase, 'query'>): ClockDoubt {
  return {
    async read() {
      const [row] = await database.query('select left_ms from clock_doubt');
      return (row?.['left_ms'] ?? 0) as number;
    },
    async write(leftMs, beforeMs) {
      await database.query(
        `insert into clock_doubt (left_ms) values ($1) on conflict (one) do update set left_ms = excluded.left_ms
         where clock_doubt.left_ms = $2 or clock_doubt.left_ms < excluded.left_ms`,
        [Math.ceil(leftMs), Math.ceil(beforeMs)],
      );
    },
  };
}
