import type { SessionsToEnd } from './session-store.ts';
import { visitDatabase, type DatabaseOptions } from './sql/open.ts';
import { sqlSessions } from './sql/sessions.ts';

/**
 * Ends sessions in a database, so that everybody meant is back to signing a challenge. Over PostgreSQL also while a
 * relay serves it, which notices within `sessionLookMs`; over a folder only while none does: a running one has
 * `Relay.endSessions`. A folder without a database has no sessions.
 * @throws RelayError `data-folder-locked`, `database-failed`; repeating it is harmless
 */
export async function killSessions(database: DatabaseOptions, which: SessionsToEnd): Promise<void> {
  const opened = await visitDatabase(database);
  if (opened === null) return;
  try {
    await sqlSessions(opened).endSessions(which);
  } finally {
    await opened.close();
  }
}
