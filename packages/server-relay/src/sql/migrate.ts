import { readdir, readFile } from 'node:fs/promises';
import { toHex, type Primitives } from '@keytide/crypto-core';
import { RelayError } from '../errors.ts';
import type { SqlDatabase, SqlRunner } from './database.ts';

/** One file of `migrations/`: `NNNN-name.sql`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** Any number, the same in every version of this software: it keeps two relays from migrating at once. */
const ADVISORY_LOCK = 5_384_732_911;

/**
 * Brings the database up to the newest migration, in one transaction, and checks that the applied ones
 * are the files we have. Answers which ones were applied now.
 * @throws RelayError `migration-changed`, `database-newer`, `database-failed`; in each case nothing was changed
 */
export async function migrate(
  database: SqlDatabase,
  primitives: Primitives,
  migrations: readonly Migration[],
  nowMs: number,
): Promise<readonly Migration[]> {
  return database.transaction(async (runner) => {
    await runner.query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    await runner.script(
      `create table if not exists keytide_migrations (
         version int primary key, name text not null, checksum text not null, applied_ms bigint not null)`,
    );
    const pending = pendingAmong(await appliedIn(runner), primitives, migrations);
    for (const migration of pending) await apply(runner, migration, checksumOf(primitives, migration), nowMs);
    return pending;
  });
}

/**
 * The migrations that `migrate` would apply; changes nothing.
 * @throws RelayError as `migrate`
 */
export async function pendingMigrations(
  database: Pick<SqlDatabase, 'query'>,
  primitives: Primitives,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  const [table] = await database.query(`select to_regclass('keytide_migrations') is null as missing`);
  const applied = table?.['missing'] === true ? new Map<number, string>() : await appliedIn(database);
  return pendingAmong(applied, primitives, migrations);
}

function pendingAmong(
  applied: ReadonlyMap<number, string>,
  primitives: Primitives,
  migrations: readonly Migration[],
): readonly Migration[] {
  const newest = migrations.at(-1)?.version ?? 0;
  for (const version of applied.keys()) {
    if (version > newest)
      throw new RelayError('database-newer', `made by a newer relay (${version}, we know ${newest}): update`);
  }
  return migrations.filter((migration) => {
    const known = applied.get(migration.version);
    if (known !== undefined && known !== checksumOf(primitives, migration))
      throw new RelayError('migration-changed', `${migration.name} is not the file that was applied`);
    return known === undefined;
  });
}

/** The migrations of this package, oldest first. Found from the sources and from the build alike. */
export async function readMigrations(): Promise<readonly Migration[]> {
  const folder = new URL('../../migrations/', import.meta.url);
  const names = (await readdir(folder)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => ({
      version: Number(name.slice(0, 4)),
      name,
      sql: await readFile(new URL(name, folder), 'utf8'),
    })),
  );
}

async function appliedIn(runner: Pick<SqlRunner, 'query'>): Promise<ReadonlyMap<number, string>> {
  const rows = await runner.query('select version, checksum from keytide_migrations');
  return new Map(rows.map((row) => [row['version'] as number, row['checksum'] as string]));
}

async function apply(
  runner: SqlRunner,
  { version, name, sql }: Migration,
  checksum: string,
  nowMs: number,
): Promise<void> {
  await runner.script(sql);
  await runner.query('insert into keytide_migrations values ($1, $2, $3, $4)', [
    version,
    name,
    checksum,
    nowMs,
  ]);
}

function checksumOf(primitives: Primitives, migration: Migration): string {
  // Line ends may differ between a clone and a package.
  return toHex(primitives.sha256(new TextEncoder().encode(migration.sql.replaceAll('\r\n', '\n'))));
}
