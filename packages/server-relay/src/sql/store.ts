import { deviceId, idBytes, type GroupId, type OrgId } from '@keytide/crypto-core';
import { LIMITS, type EntryKind } from '@keytide/relay-protocol';
import { RelayError } from '../errors.ts';
import type { EntriesPage, LogPage, RelayStore } from '../store.ts';
import { sqlAccess } from './access.ts';
import { announceEpoch, appendEnvelopes } from './append.ts';
import { sqlBlobs } from './blobs.ts';
import { sqlData } from './data.ts';
import type { SqlDatabase } from './database.ts';
import { addEntry, sqlDirectory } from './directory.ts';
import { endSessions, sqlLogins } from './logins.ts';
import { forgetDevice, sqlWipe } from './wipe.ts';
import { sqlMail } from './mail.ts';
import { sqlPreKeys } from './pre-keys.ts';

const KINDS: readonly EntryKind[] = ['envelope', 'statement'];

/** A page of a group's log ends at the entry that passes this, so with a statement it stays below 2 MiB. */
const PAGE_BYTES = 524_288;
const PAGE_ENTRIES = 500;

/** The one implementation of `RelayStore`, over a database that `migrate` has prepared. */
export function sqlRelayStore(database: SqlDatabase): RelayStore {
  return {
    ...sqlLogins(database),
    ...sqlDirectory(database),
    ...sqlData(database),
    ...sqlWipe(database),
    ...sqlAccess(database),
    ...sqlBlobs(database),
    ...sqlMail(database),
    ...sqlPreKeys(database),
    hasOrganisations: async () =>
      (await database.query('select 1 as one from organisations limit 1')).length > 0,
    createOrganisation: (genesis) => createOrganisation(database, genesis),
    readLog: (org, from, count) => readLog(database, org, from, count),
    appendLogEntry: (addition) => appendLogEntry(database, addition),
    appendEnvelopes: (items, nowMs) => appendEnvelopes(database, items, nowMs),
    announceEpoch: (announcement, nowMs) => announceEpoch(database, announcement, nowMs),
    readEntries: (org, group, afterSeq) => readEntries(database, { org, group, afterSeq }),
    readNewestStatement: (org, group) => readNewestStatement(database, org, group),
    readBox: (place) => readBox(database, place),
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

async function readEntries(
  database: SqlDatabase,
  {
    org,
    group,
    afterSeq,
  }: {
    org: Parameters<RelayStore['readEntries']>[0];
    group: Parameters<RelayStore['readEntries']>[1];
    afterSeq: number;
  },
): Promise<EntriesPage> {
  // One statement, so that the head and the entries are of one moment.
  const rows = await database.query(
    `select g.head_seq, g.epoch, e.seq, e.kind, e.bytes from groups g left join (
       select seq, kind, bytes, sum(octet_length(bytes)) over (order by seq) - octet_length(bytes) as before
       from (select seq, kind, bytes from entries where org = $1 and grp = $2 and seq > $3
             order by seq limit ${PAGE_ENTRIES}) page
     ) e on e.before < ${PAGE_BYTES}
     where g.org = $1 and g.grp = $2 order by e.seq`,
    [idBytes(org), idBytes(group), afterSeq],
  );
  const entries = rows
    .filter((row) => row['seq'] !== null)
    .map((row) => ({
      seq: row['seq'] as number,
      kind: KINDS[row['kind'] as number] as EntryKind,
      bytes: row['bytes'] as Uint8Array,
    }));
  return {
    entries,
    headSeq: (rows[0]?.['head_seq'] ?? 0) as number,
    epoch: (rows[0]?.['epoch'] ?? 0) as number,
  };
}

async function readNewestStatement(
  database: SqlDatabase,
  org: OrgId,
  group: GroupId,
): Promise<Uint8Array | null> {
  const [row] = await database.query(
    `select e.bytes from statements s join entries e on e.org = s.org and e.grp = s.grp and e.seq = s.seq
     where s.org = $1 and s.grp = $2 order by s.epoch desc limit 1`,
    [idBytes(org), idBytes(group)],
  );
  return row === undefined ? null : (row['bytes'] as Uint8Array);
}

async function readBox(
  database: SqlDatabase,
  { org, group, epoch, device }: Parameters<RelayStore['readBox']>[0],
): Promise<Uint8Array | null> {
  const [row] = await database.query(
    'select box from boxes where org = $1 and grp = $2 and epoch = $3 and device = $4',
    [idBytes(org), idBytes(group), epoch, idBytes(device)],
  );
  return row === undefined ? null : (row['box'] as Uint8Array);
}
