import { idBytes } from '@keytide/crypto-core';
import { RelayError } from './errors.ts';
import type { SessionsToEnd } from './session-store.ts';
import type { DatabaseOptions } from './sql/database-options.ts';
import { visitDatabase } from './sql/open.ts';
import { everywhere, leaseMsOf } from './cluster/lease.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { sqlNodes } from './sql/nodes.ts';
import { countSessions, sqlSessions } from './sql/sessions.ts';

/**
 * Ends sessions in a database, so that everybody meant is back to signing a challenge. Over PostgreSQL also while a
 * relay serves it, which notices within `sessionLookMs`, and when several do, it waits until they have; over a folder
 * only while none does: a running one has `Relay.endSessions`. Answers how many there were just before: what begins meanwhile ends too, and is not counted.
 * @throws RelayError `not-found` where there is no such organisation, or no database; `data-folder-locked`,
 * `database-failed`; repeating it is harmless
 */
export async function killSessions(database: DatabaseOptions, which: SessionsToEnd): Promise<number> {
  const opened = await visitDatabase(database);
  if (opened === null) throw new RelayError('not-found', 'there is no database yet: nobody is logged in');
  try {
    if (which.of !== 'relay') {
      const known = await opened.query('select 1 as one from organisations where org = $1', [
        idBytes(which.org),
      ]);
      // Of a mistyped id nothing would be ended, and whoever asks would believe that it was.
      if (known.length === 0) throw new RelayError('not-found', 'there is no such organisation');
    }
    const count = await countSessions(opened, which);
    await sqlSessions(opened).endSessions(which);
    await everywhere(sqlNodes(opened), new Uint8Array(16), leaseMsOf(DEFAULT_LIMITS));
    return count;
  } finally {
    await opened.close();
  }
}
