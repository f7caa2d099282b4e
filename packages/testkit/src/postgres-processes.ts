import { readFile } from 'node:fs/promises';
import pg from 'pg';

/**
 * The processes of a PostgreSQL on this Linux machine, the one that started the others first. `url` as a superuser.
 * @throws Error when it does not answer
 */
export async function postgresProcesses(url: string): Promise<readonly number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>(
      'select pid from pg_stat_activity where pid <> pg_backend_pid()',
    );
    const all = rows.map(({ pid }) => pid);
    const { rows: own } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return [await parentOf(own[0]?.pid ?? 0), ...all];
  } finally {
    await client.end();
  }
}

/** The fourth field of /proc/PID/stat, behind a name that may hold anything. */
async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
}
