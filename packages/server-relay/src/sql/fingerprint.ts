import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import { syncFolder } from '../sync-folder.ts';
import type { SqlDatabase } from './database.ts';
import type { DatabaseOptions } from './database-options.ts';

/** By what a database is known from one start to the next. */
export interface Fingerprints {
  /** With any of these recorded it is what it was. */
  readonly before: readonly string[];
  /** What is to be recorded. */
  readonly now: string;
  /** To be called when that is recorded. */
  forgetBefore(): Promise<void>;
}

/** A file beside the database, by a name that each start draws anew and the database has. */
const MARK = /^start-[0-9a-f]{32}$/;

/**
 * What a database runs on, as far as it tells a copy from the original: of PostgreSQL the cluster, its timeline, which
 * changes when a standby takes over or a backup is recovered, the database, and a table that another one replaces when
 * a dump is put back; of a folder its device, its inode, that of a file that only a copy replaces, and the mark of the
 * last start. A folder that is moved to another disk is a copy.
 * @throws RelayError `database-failed`
 */
export async function fingerprintOf(
  options: DatabaseOptions,
  database: Pick<SqlDatabase, 'query'>,
): Promise<string> {
  if (options.kind === 'memory') return 'memory';
  if (options.kind === 'pglite') return (await folderPrints(options.folder))[0] as string;
  const [row] = await database.query(
    `select (select system_identifier from pg_control_system())::text || ' '
       || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ' '
       || (select oid from pg_database where datname = current_database())::text || ' '
       || 'relay_state'::regclass::oid::text as print`,
  );
  return `postgres ${row?.['print'] as string}`;
}

/**
 * The same for a start, which marks a folder anew: what is put back over it names a mark that is gone, or a copy of it.
 * @throws RelayError `database-failed`
 */
export async function renewFingerprint(
  options: DatabaseOptions,
  database: Pick<SqlDatabase, 'query'>,
): Promise<Fingerprints> {
  if (options.kind !== 'pglite') {
    const now = await fingerprintOf(options, database);
    return { before: [now], now, forgetBefore: () => Promise.resolve() };
  }
  const { folder } = options;
  const [before, marks] = [await folderPrints(folder), await marksIn(folder)];
  const fresh = `start-${toHex(nodeRandom(16))}`;
  await inRelayTerms(async () => {
    const file = await open(join(folder, fresh), 'wx', 0o600);
    await file.sync();
    await file.close();
    await syncFolder(folder);
  });
  return {
    before,
    now: await printOf(folder, fresh),
    forgetBefore: () =>
      inRelayTerms(async () => void (await Promise.all(marks.map((mark) => rm(join(folder, mark)))))),
  };
}

/** One for each mark: a start that was broken off may leave two. */
async function folderPrints(folder: string): Promise<string[]> {
  const marks = await marksIn(folder);
  return marks.length === 0
    ? [await printOf(folder, null)]
    : Promise.all(marks.map((mark) => printOf(folder, mark)));
}

function marksIn(folder: string): Promise<string[]> {
  return inRelayTerms(async () => (await readdir(folder)).filter((name) => MARK.test(name)));
}

function printOf(folder: string, mark: string | null): Promise<string> {
  return inRelayTerms(async () => {
    const inside = join(folder, 'postgres');
    const [whole, part] = await Promise.all([stat(inside), stat(join(inside, 'PG_VERSION'))]);
    const print = `folder ${whole.dev} ${whole.ino} ${part.ino}`;
    if (mark === null) return print;
    const { ino, birthtimeNs } = await stat(join(folder, mark), { bigint: true });
    return `${print} ${mark} ${ino} ${birthtimeNs}`;
  });
}

async function inRelayTerms<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new RelayError('database-failed', 'the folder of the database cannot be looked at or marked', {
      cause,
    });
  }
}
