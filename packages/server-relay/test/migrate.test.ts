import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SqlDatabase } from '../src/sql/database.ts';
import { migrate, readMigrations, type Migration } from '../src/sql/migrate.ts';
import { openDatabase } from '../src/sql/open.ts';

let database: SqlDatabase;
beforeAll(async () => {
  database = await openDatabase({ kind: 'memory' });
});
afterAll(() => database.close());

const run = (migrations: readonly Migration[]) => migrate(database, nodePrimitives, migrations, 1);
const tables = async () =>
  (await database.query("select tablename from pg_tables where schemaname = 'public' order by 1")).map(
    (row) => row['tablename'],
  );
const first: Migration = {
  version: 1,
  name: '0001-a.sql',
  sql: 'create table a (x int); create table b (x int)',
};
const second: Migration = { version: 2, name: '0002-c.sql', sql: 'create table c (x int)' };

test('applies what is missing, once', async () => {
  await run([first]);
  await run([first, second]);
  await run([first, second]);
  expect(await tables()).toEqual(['a', 'b', 'c', 'keytide_migrations']);
});

test('a changed file is refused; line ends do not count', async () => {
  await expect(run([{ ...first, sql: `${first.sql} ` }, second])).rejects.toMatchObject({
    code: 'migration-changed',
  });
  const lines = { version: 3, name: '0003-d.sql', sql: 'create table d (\n  x int\n)' };
  await run([first, second, lines]);
  await run([first, second, { ...lines, sql: lines.sql.replaceAll('\n', '\r\n') }]);
});

test('a database of a newer version is refused', async () => {
  await expect(run([first])).rejects.toMatchObject({ code: 'database-newer' });
});

test('a migration that fails changes nothing, nor do those before it', async () => {
  const before = await tables();
  const all = [first, second, { version: 3, name: '0003-d.sql', sql: 'create table d (\n  x int\n)' }];
  const good = { version: 4, name: '0004-e.sql', sql: 'create table e (x int)' };
  const bad = { version: 5, name: '0005-f.sql', sql: 'create table f (x int); create nonsense' };
  await expect(run([...all, good, bad])).rejects.toMatchObject({ code: 'database-failed' });
  expect(await tables()).toEqual(before);
});

test('the files of this package are found, and no number is given twice', async () => {
  const migrations = await readMigrations();
  const versions = migrations.map(({ version }) => version);
  expect(versions.length).toBeGreaterThan(0);
  expect(new Set(versions).size).toBe(versions.length);
});

/** What takes something away from statements of the version before: the first of it. */
function takenAway(sql: string): string | null {
  const said = sql.replaceAll(/--.*$/gm, '').replaceAll(/\s+/g, ' ');
  const [found = null] =
    /\b(drop (?!not null)|rename |alter column \w+ (set data )?type|set not null|add constraint|truncate |create or replace view)/i.exec(
      said,
    ) ?? [];
  return found;
}

test('a migration takes nothing away from the version before, since nodes are replaced one by one', async () => {
  for (const { version, name, sql } of await readMigrations())
    if (version >= 14) expect(takenAway(sql), name).toBeNull();
  for (const sql of [
    ...[
      'drop table a',
      'alter table a drop column b',
      'alter table a rename column b to c',
      'DROP\n FUNCTION f()',
    ],
    ...['alter table a alter column b type text', 'alter table a alter column b set not null'],
  ])
    expect(takenAway(sql), sql).not.toBeNull();
  const adds =
    '-- drop nothing\ncreate table a (b int not null); alter table a add column c int not null default 0';
  expect(takenAway(adds)).toBeNull();
});

test('no statement asks a table for columns that it does not name', async () => {
  const sources = join(import.meta.dirname, '../src/sql');
  for await (const file of glob('*.ts', { cwd: sources })) {
    const text = await readFile(join(sources, file), 'utf8');
    // Of a function and of a part of the same statement all are known.
    const found = /select (?:\w+\.)\*|[`']\s*select \* from (?!\w+\(|\()|returning \*/i.exec(text);
    expect(found?.[0], file).toBeUndefined();
  }
});
