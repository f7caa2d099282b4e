import pg from 'pg';

/** A table of PostgreSQL that cannot be written, or not even read, until `release`. */
export interface HeldTable {
  /** How many statements wait for it. They go on waiting when whoever sent them is killed. */
  waiting(): Promise<number>;
  /** Lets the statements run, in the order in which they came. */
  release(): Promise<void>;
}

/** Holds a table as a slow database would. `url` and `table` are the test's own, never input. */
export async function holdTable(
  url: string,
  table: string,
  from: 'writers' | 'everybody' = 'writers',
): Promise<HeldTable> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('begin');
  await client.query(`lock table ${table} in ${from === 'writers' ? '' : 'access '}exclusive mode`);
  return {
    async waiting() {
      const sql =
        'select count(*)::int as waiting from pg_locks where relation = $1::regclass and not granted';
      const { rows } = await client.query<{ waiting: number }>(sql, [table]);
      return rows[0]?.waiting ?? 0;
    },
    async release() {
      await client.query('commit');
      await client.end();
    },
  };
}
