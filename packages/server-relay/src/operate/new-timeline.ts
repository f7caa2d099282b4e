import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import { fingerprintOf } from '../sql/fingerprint.ts';
import { migrate, readMigrations } from '../sql/migrate.ts';
import { alone, type DatabaseOptions } from '../sql/database-options.ts';
import { openDatabase } from '../sql/open.ts';
import { changeTimeline } from '../sql/timeline.ts';

/**
 * Begins another timeline in a database that was put back in a way of which it shows nothing, and ends all sessions.
 * No relay may serve it.
 * @throws RelayError `database-in-use`, `data-folder-locked`, `database-failed`, `database-newer`, `migration-changed`;
 * `not-found` for a folder without a database
 */
export async function beginTimeline(options: DatabaseOptions, nowMs: number): Promise<void> {
  if (options.kind === 'pglite' && !existsSync(join(options.folder, 'postgres')))
    throw new RelayError('not-found', 'there is no database yet: serve makes it');
  const database = await openDatabase(alone(options));
  try {
    // A dump may be of an older version.
    await migrate(database, nodePrimitives, await readMigrations(), nowMs);
    const fingerprint = await fingerprintOf(options, database);
    await database.transaction((runner) => changeTimeline(runner, fingerprint));
  } finally {
    await database.close();
  }
}
