import { deviceId, idBytes } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import { RelayError } from '../errors.ts';
import type { LogPage, RelayStore } from '../store.ts';
import { sqlAccess } from './access.ts';
import { sqlAppends } from './append.ts';
import { sqlBlobs } from './blobs.ts';
import { sqlData } from './data.ts';
import type { SqlDatabase } from './database.ts';
import { addEntry, sqlDirectory } from './directory.ts';
import { sqlEntries } from './entries.ts';
import { sqlForgetting } from './forgetting.ts';
import { endSessions, sqlLogins } from './logins.ts';
import { sqlSessions } from './sessions.ts';
import { sqlNodes } from './nodes.ts';
import { forgetDevice, sqlWipe } from './wipe.ts';
import { sqlMail } from './mail.ts';
import { sqlPreKeys } from './pre-keys.ts';
import { sqlPush } from './push.ts';
import { sqlTrees } from './trees.ts';

/** The one implementation of `RelayStore`, over a database that `migrate` has prepared. */
export function sqlRelayStore(database: SqlDatabase): RelayStore {
  return {
    ...sqlLogins(database),
    ...sqlSessions(database),
    ...sqlDirectory(database),
    ...sqlAppends(database),
    ...sqlEntries(database),
    ...sqlForgetting(database),
    ...sqlTrees(database),
    ...sqlData(database),
    ...sqlWipe(database),
    ...sqlAccess(database),
    ...sqlBlobs(database),
    ...sqlMail(database),
    ...sqlPreKeys(database),
    ...sqlPush(database),
    ...sqlNodes(database),
    hasOrganisations: async () =>
      (await database.query('select 1 as one from organisations limit 1')).length > 0,
    createOrganisation: (genesis) => createOrganisation(database, genesis),
    readLog: (org, from, count) => readLog(database, org, from, count),
    appendLogEntry: (addition) => appendLogEntry(database, addition),
    close: () => database.close(),
  };
}

async function createOrganisation(
  database: SqlDatabase,
  { org, wire, growth, nowMs }: Parameters<RelayStore['createOrganisation']>[0],
): Promise<boolean> {
  return addEntry(database, { org, index: 0, wire }, growth, nowMs);
}

async function readLog(
  database: SqlDatabase,
  org: Parameters<RelayStore['readLog']>[0],
  from: number,
  count: number = LIMITS.logPageEntries,
): Promise<LogPage | null> {
  const [head] = await database.query('select log_size from organisations where org = $1', [idBytes(org)]);
  if (head === undefined) return null;
  const rows = await database.query(
    `select wire from (
       select entry_index, wire, sum(octet_length(wire)) over (order by entry_index) - octet_length(wire) as before
       from (select entry_index, wire from log_entries where org = $1 and entry_index >= $2
             order by entry_index limit $3) page
     ) sized where before < ${LIMITS.logPageBytes} order by entry_index`,
    [idBytes(org), from, count],
  );
  // The log may have grown between the two statements; the page is then newer than the size.
  const size = Math.max(head['log_size'] as number, rows.length === 0 ? 0 : from + rows.length);
  return { entries: rows.map((row) => row['wire'] as Uint8Array), size };
}

async function appendLogEntry(
  database: SqlDatabase,
  { org, index, wire, growth, ended }: Parameters<RelayStore['appendLogEntry']>[0],
): Promise<void> {
  await database.transaction(async (runner) => {
    if (!(await addEntry(runner, { org, index, wire }, growth, null)))
      throw new RelayError('head-moved', 'the membership log has another size');
    for (const subject of ended) {
      await endSessions(runner, idBytes(org), subject);
      if (subject.kind === 'device') await forgetDevice(runner, org, deviceId(subject.id));
    }
  });
}
