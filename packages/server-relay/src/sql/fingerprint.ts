import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RelayError } from '../errors.ts';
import type { SqlDatabase } from './database.ts';
import type { DatabaseOptions } from './open.ts';

/**
 * What a database runs on, as far as it tells a copy from the original: of PostgreSQL the cluster, its timeline, which
 * changes when a standby takes over or a backup is recovered, and the database; of a folder its device, its inode and
 * that of a file that only a copy replaces. A folder that is moved to another disk is a copy.
 * @throws RelayError `database-failed`
 */
export async function fingerprintOf(
  options: DatabaseOptions,
  database: Pick<SqlDatabase, 'query'>,
): Promise<string> {
  if (options.kind === 'memory') return 'memory';
  if (options.kind === 'pglite') return `folder ${await folderPrint(join(options.folder, 'postgres'))}`;
  const [row] = await database.query(
    `select (select system_identifier from pg_control_system())::text || ' '
       || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ' '
       || (select oid from pg_database where datname = current_database())::text as print`,
  );
  return `postgres ${row?.['print'] as string}`;
}

async function folderPrint(folder: string): Promise<string> {
  try {
    const [whole, part] = await Promise.all([stat(folder), stat(join(folder, 'PG_VERSION'))]);
    return `${whole.dev} ${whole.ino} ${part.ino}`;
  } catch (cause) {
    throw new RelayError('database-failed', 'the folder of the database cannot be looked at', { cause });
  }
}
