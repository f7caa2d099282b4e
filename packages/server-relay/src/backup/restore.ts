import { equalBytes, orgId } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { dataKeyContext } from '../at-rest.ts';
import { dayKeyContext } from '../day-keys.ts';
import { RelayError } from '../errors.ts';
import type { KeyWrapper } from '../key-wrapper.ts';
import { relayKeyPath } from '../open-keys.ts';
import { openRelayKey } from '../relay-key.ts';
import type { SqlDatabase, SqlRunner } from '../sql/database.ts';
import { fingerprintOf } from '../sql/fingerprint.ts';
import { migrate, readMigrations } from '../sql/migrate.ts';
import { alone, type DatabaseOptions } from '../sql/database-options.ts';
import { openDatabase } from '../sql/open.ts';
import { changeTimeline } from '../sql/timeline.ts';
import { copyBlobs, dropBlobs, forgetMissingBlobs, knownIn } from './blob-files.ts';
import { FORGET_AGAIN } from './forget-again.ts';
import { generationAt, generationPath, newestGeneration, placesIn, readHead, type Head } from './place.ts';
import { checkRecordFile, damaged, readRecordFile } from './record-file.ts';
import { advanceSequences, putRows, tablesIn, type SqlCell, type Table } from './tables.ts';

/** What is put back, and where. */
export interface RestoreOptions {
  readonly database: Exclude<DatabaseOptions, { kind: 'memory' }>;
  /** What the keys in the backup were wrapped by. Asked for when there are any. */
  readonly openWrapper: () => Promise<KeyWrapper>;
  readonly folder: string;
  /** Where the bytes of attachments go; `null` where they are not files, and are where they were. */
  readonly blobFolder: string | null;
  /** Which backup; the newest by default. */
  readonly generation?: string;
  /** Whether what is in the database may be replaced. */
  readonly mayReplace: boolean;
  readonly nowMs: number;
  progress(done: { readonly table: string; readonly rows: number }): void;
}

/** What was put back. */
export interface Restored {
  readonly generation: string;
  readonly rows: number;
  /** Bytes of blobs that are not in it and could not be removed now; `null`: nobody knows. The relay tries again. */
  readonly blobsLeft: number | null;
  /** Whether it was made while a clock was ahead: the newest by its name may not be the newest. */
  readonly isFromFuture: boolean;
}

/**
 * Puts a backup back into a database that no relay serves: all of it or nothing, in another timeline, with nobody
 * logged in. Everything about the backup is checked before anything is changed.
 * @throws RelayError `backup-missing`, `backup-damaged`, `relay-key-missing`, `relay-key-differs`, `data-key-missing`,
 * `data-damaged`, `restore-not-empty`, `backup-version`, `database-newer`, `data-folder-locked`, `database-in-use`,
 * `database-failed`, `blobs-failed`
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { folder, database: into } = options;
  const generation = options.generation ?? (await newestGeneration(folder));
  const main = generationPath(folder, generation);
  const { keys, blobs } = placesIn(folder);
  await checkRecordFile(main);
  await checkRecordFile(keys);
  const [head, headOfKeys] = [await readHead(main, 'main'), await readHead(keys, 'keys')];
  if (!equalBytes(head.relayKey, headOfKeys.relayKey)) throw damaged();
  await assertRelayKey(into, head);
  await assertOpens(keys, options);
  const opened = await openDatabase(alone(into));
  try {
    await prepare(opened, head, options);
    const fingerprint = await fingerprintOf(into, opened);
    const rows = await opened.transaction(async (runner) => {
      const tables = await tablesIn(runner);
      const all = [...tables.main, ...tables.keys];
      await runner.script(
        `truncate ${[...all.map(({ name }) => name), ...tables.leftOut].map((name) => `"${name}"`).join(', ')}`,
      );
      const count =
        (await load(runner, main, tables.main, options)) + (await load(runner, keys, tables.keys, options));
      for (const table of all) await advanceSequences(runner, table);
      await runner.script(FORGET_AGAIN);
      const to = options.blobFolder;
      if (to !== null) {
        await copyBlobs(runner, { from: blobs, to });
        await forgetMissingBlobs(runner, to);
        // Tables of before there was this one come with a backup of that time; then it is tried now alone.
        if (tables.leftOut.includes('blob_drops'))
          await runner.query('insert into blob_drops default values');
      }
      await changeTimeline(runner, fingerprint);
      return count;
    });
    // All of it is put back by now: what fails is made up for by the rounds of the relay.
    const blobsLeft = await dropDue(opened, options.blobFolder).catch(() => null);
    return { generation, rows, blobsLeft, isFromFuture: generation > generationAt(options.nowMs) };
  } finally {
    await opened.close();
  }
}

/** How much is left of what the restore has to remove. */
async function dropDue(opened: SqlDatabase, folder: string | null): Promise<number> {
  const left = folder === null ? 0 : await dropBlobs(folder, knownIn(opened));
  const [drops] = await opened.query(`select to_regclass('blob_drops') is not null as kept`);
  if (left === 0 && drops?.['kept'] === true) await opened.query('delete from blob_drops');
  return left;
}

async function assertRelayKey(into: RestoreOptions['database'], { relayKey }: Head): Promise<void> {
  const file = { path: relayKeyPath(into), isFirstStart: false };
  const { publicKey } = await openRelayKey(nodePrimitives, nodeRandom, file);
  if (!equalBytes(publicKey, relayKey))
    throw new RelayError('relay-key-differs', 'the key file is not that of the relay in the backup');
}

/** Opens one key of each wrapping key, so that nothing is put back that nobody can read. */
async function assertOpens(keys: string, { openWrapper }: RestoreOptions): Promise<void> {
  const tried = new Set<string>();
  let wrapper: KeyWrapper | null = null;
  for await (const { table, columns, rows } of rowsIn(keys)) {
    if (table !== 'data_keys' && table !== 'day_keys') continue;
    const number = table === 'day_keys' ? 'day' : 'key_number';
    for (const row of rows) {
      const cell = (name: string): SqlCell => row[columns.indexOf(name)] as SqlCell;
      const keyName = cell('wrapping_key') as string;
      if (tried.has(`${table} ${keyName}`)) continue;
      tried.add(`${table} ${keyName}`);
      wrapper ??= await openWrapper();
      if (!wrapper.unwraps(keyName))
        throw new RelayError('data-key-missing', 'what wraps the keys in the backup is not here');
      const org = orgId(cell('org') as Uint8Array);
      const contextOf = table === 'day_keys' ? dayKeyContext : dataKeyContext;
      try {
        const context = contextOf(org, cell(number) as number);
        (await wrapper.unwrap(keyName, cell('wrapped') as Uint8Array, context)).fill(0);
      } catch (cause) {
        if (cause instanceof RelayError) throw cause;
        throw new RelayError('data-damaged', 'a key in the backup does not open', { cause });
      }
    }
  }
}

/** An empty database gets the tables of the backup's time; any other has to have exactly those. */
async function prepare(
  opened: SqlDatabase,
  head: Head,
  { mayReplace, nowMs }: RestoreOptions,
): Promise<void> {
  const known = await readMigrations();
  if ((known.at(-1)?.version ?? 0) < head.migration)
    throw new RelayError('database-newer', 'the backup was made by a newer relay: update');
  const upTo = known.filter(({ version }) => version <= head.migration);
  const [table] = await opened.query(`select to_regclass('keytide_migrations') is null as missing`);
  const isNew = table?.['missing'] === true;
  if (!isNew) {
    const [newest] = await opened.query('select max(version)::int as version from keytide_migrations');
    if (newest?.['version'] !== head.migration)
      throw new RelayError('backup-version', 'the database has other tables than the backup');
    const some = await opened.query('select 1 as one from organisations limit 1');
    if (some.length > 0 && !mayReplace)
      throw new RelayError('restore-not-empty', 'there are organisations in this database already');
  }
  await migrate(opened, nodePrimitives, isNew ? upTo : known.slice(0, upTo.length), nowMs);
}

async function load(
  runner: SqlRunner,
  path: string,
  tables: readonly Table[],
  { progress }: RestoreOptions,
): Promise<number> {
  const made = new Set<string>();
  let count = 0;
  for await (const { table: name, columns, rows } of rowsIn(path)) {
    const table = tables.find((one) => one.name === name);
    if (table === undefined) throw damaged();
    const filled = columns.map((column) => table.columns.find((one) => one.name === column));
    if (filled.includes(undefined)) throw damaged();
    await makePartitions(runner, name, { columns, rows, made });
    await putRows(runner, { name, columns: filled as Table['columns'] }, rows);
    count += rows.length;
    progress({ table: name, rows: rows.length });
  }
  return count;
}

/** Tables of a class and a day, or of a period, are made when their first row comes. */
async function makePartitions(
  runner: SqlRunner,
  table: string,
  { columns, rows, made }: Pick<Rows, 'columns' | 'rows'> & { readonly made: Set<string> },
): Promise<void> {
  if (table !== 'entries' && table !== 'boxes' && table !== 'message_ids') return;
  for (const row of rows) {
    const day = row[columns.indexOf('day')] as number;
    const of = table === 'message_ids' ? null : (row[columns.indexOf('class')] as number);
    const name = `${table === 'message_ids' ? Math.floor(day / 32) : day} ${of}`;
    if (of === 0 || made.has(name)) continue;
    made.add(name);
    if (of !== null) await runner.query('select make_day($1, $2)', [of, day]);
    else
      await runner.query(
        `select make_partition('message_ids', format('message_ids_%s', $1::int), $1::int, '', 'org, grp, message_id, day')`,
        [Math.floor(day / 32)],
      );
  }
}

interface Rows {
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlCell[])[];
}

async function* rowsIn(path: string): AsyncGenerator<Rows, void, undefined> {
  let [table, columns]: [string, readonly string[]] = ['', []];
  for await (const [kind, value, more] of readRecordFile(path)) {
    if (kind === 'table') [table, columns] = [value as string, more as unknown as string[]];
    if (kind === 'rows') yield { table, columns, rows: value as unknown as SqlCell[][] };
  }
}
