import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { equalBytes, type CborValue } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import { relayKeyPath } from '../open-keys.ts';
import { openRelayKey } from '../relay-key.ts';
import type { SqlRunner } from '../sql/database.ts';
import { pendingMigrations, readMigrations } from '../sql/migrate.ts';
import type { DatabaseOptions } from '../sql/database-options.ts';
import { visitDatabase } from '../sql/open.ts';
import { sqlStateOf } from '../sql/sql-state.ts';
import { copyBlobs, dropBlobs, knownIn } from './blob-files.ts';
import {
  dropDrafts,
  generationAt,
  generationPath,
  headRecord,
  newestGeneration,
  placesIn,
  readHead,
  type Head,
} from './place.ts';
import { writeRecordFile } from './record-file.ts';
import { rowsOf, tablesIn, type Table } from './tables.ts';

/** Of what a backup is made, and where it goes. */
export interface BackUpOptions {
  readonly database: Exclude<DatabaseOptions, { kind: 'memory' }>;
  readonly folder: string;
  /** Where the bytes of attachments are; `null` where they are not files, and stay where they are. */
  readonly blobFolder: string | null;
  readonly nowMs: number;
  progress(done: { readonly table: string; readonly rows: number }): void;
}

/** What was backed up. */
export interface BackedUp {
  readonly generation: string;
  readonly rows: number;
  readonly blobs: number;
  /** What the relay has forgotten and could not be removed from the folder now: the next backup tries again. */
  readonly blobsLeft: number;
  readonly sizeBytes: number;
  /** Whether it is the one that a restore takes by itself; not beside one that was made while the clock was ahead. */
  readonly isNewest: boolean;
}

/**
 * One moment for everything, and one backup at a time: the lock comes before the moment, so that whoever gets it later
 * has newer keys. It is of no use to anybody else, and goes with the transaction.
 */
const BEGIN = `
  set transaction isolation level repeatable read, read only;
  lock table keytide_migrations in share update exclusive mode nowait;
`;
const LOCKED = '55P03';

/**
 * Makes a backup of a relay (docs/spec/timeline.md), all of one moment: of PostgreSQL also while relays serve it, of a
 * folder while none does. The `keys` of all backups in the folder are replaced first. Memory stays flat.
 * @throws RelayError `not-found` without a database, `data-folder-locked`, `database-failed`, `database-newer`,
 * `backup-running`, `relay-key-missing`, `backup-other-relay` for a folder with another relay's, `backup-damaged` for its `keys`
 */
export async function backUp(options: BackUpOptions): Promise<BackedUp> {
  const { database: of, folder, nowMs, progress } = options;
  const opened = await visitDatabase(of);
  if (opened === null) throw new RelayError('not-found', 'there is no database yet: serve makes it');
  try {
    const file = { path: relayKeyPath(of), isFirstStart: false };
    const { publicKey } = await openRelayKey(nodePrimitives, nodeRandom, file);
    const places = placesIn(folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (existsSync(places.keys) && !equalBytes((await readHead(places.keys, 'keys')).relayKey, publicKey))
      throw new RelayError('backup-other-relay', 'this folder has the backups of another relay');
    await pendingMigrations(opened, nodePrimitives, await readMigrations());
    return await opened.transaction(async (runner) => {
      await runner.script(BEGIN).catch((error: unknown) => {
        if (sqlStateOf(error) !== LOCKED) throw error;
        throw new RelayError('backup-running', 'another backup of this database is being made');
      });
      await dropDrafts(folder);
      const [newest] = await runner.query('select max(version)::int as version from keytide_migrations');
      const head: Head = { migration: newest?.['version'] as number, relayKey: publicKey };
      const { main, keys } = await tablesIn(runner);
      let rows = 0;
      const told: typeof progress = (done) => {
        rows += done.rows;
        progress(done);
      };
      const generation = generationAt(nowMs);
      // The bytes first: a blob that is in the copy of the index and not among the files would be lost.
      const from = options.blobFolder;
      const blobs = from === null ? 0 : await copyBlobs(runner, { from, to: places.blobs });
      // Keys that are newer than a backup open it; older ones would not.
      await writeRecordFile(places.keys, recordsOf(runner, keys, headRecord('keys', head), told));
      const sizeBytes = await writeRecordFile(
        generationPath(folder, generation),
        recordsOf(runner, main, headRecord('main', head), told),
      );
      const blobsLeft = await dropBlobs(places.blobs, knownIn(runner));
      const isNewest = (await newestGeneration(folder)) === generation;
      return { generation, rows, blobs, blobsLeft, sizeBytes, isNewest };
    });
  } finally {
    await opened.close();
  }
}

async function* recordsOf(
  runner: SqlRunner,
  tables: readonly Table[],
  head: CborValue,
  progress: BackUpOptions['progress'],
): AsyncGenerator<CborValue, void, undefined> {
  yield head;
  for (const table of tables) {
    let count = 0;
    yield ['table', table.name, table.columns.map(({ name }) => name)];
    for await (const rows of rowsOf(runner, table)) {
      count += rows.length;
      yield ['rows', rows];
    }
    progress({ table: table.name, rows: count });
  }
}
