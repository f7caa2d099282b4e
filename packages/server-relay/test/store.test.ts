import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { openStore, type DatabaseOptions, type RelayStore } from '@keytide/server-relay';
import { folderDatabase, relayStoreConformance, startPostgres, type TestPostgres } from '@keytide/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { openPostgres } from '../src/sql/postgres.ts';

let folder: string | null = null;
let postgres: TestPostgres | null = null;

afterAll(async () => {
  await postgres?.stop();
  if (folder !== null) await rm(folder, { recursive: true, force: true });
});

async function open(database: DatabaseOptions): Promise<RelayStore> {
  return (await openStore(database, nodePrimitives, Date.now())).store;
}

async function underTest(database: DatabaseOptions) {
  return { store: await open(database), reopen: () => open(database) };
}

async function onPglite() {
  folder = await mkdtemp(join(tmpdir(), 'keytide-store-'));
  return underTest(folderDatabase(folder));
}

async function onPostgres() {
  postgres = await startPostgres();
  return underTest({ kind: 'postgres', url: postgres.url, keyFile: 'not made by a store' });
}

relayStoreConformance('PGlite', onPglite, { describe, it });
relayStoreConformance('PostgreSQL', onPostgres, { describe, it });

describe('PostgreSQL', () => {
  it('serves one relay a database', async () => {
    const url = await (postgres as TestPostgres).createDatabase('claimed');
    const first = await openPostgres(url);
    await expect(openPostgres(url, 0)).rejects.toMatchObject({ code: 'database-in-use' });
    const waiting = openPostgres(url);
    await first.close();
    await (await waiting).close();
  });

  it('serves several nodes, and none beside a relay that is alone', async () => {
    const url = await (postgres as TestPostgres).createDatabase('shared');
    const nodes = [await openPostgres(url, 0, 'node'), await openPostgres(url, 0, 'node')];
    await expect(openPostgres(url, 0)).rejects.toMatchObject({ code: 'database-in-use' });
    for (const node of nodes) await node.close();
    const alone = await openPostgres(url, 0);
    await expect(openPostgres(url, 0, 'node')).rejects.toMatchObject({ code: 'database-in-use' });
    await alone.close();
  });

  it('comes back when its connections were cut, and never beside another relay', async () => {
    const url = await (postgres as TestPostgres).createDatabase('cut');
    const relay = await openPostgres(url);
    const cut = 'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()';
    await expect(relay.query(cut)).rejects.toMatchObject({ code: 'database-failed' });
    await expect.poll(() => relay.query('select 1 as one').catch(() => null)).toEqual([{ one: 1 }]);
    await relay.close();
    await expect(openPostgres('postgres://keytide@127.0.0.1:1/none', 0)).rejects.toMatchObject({
      code: 'database-failed',
    });
  });
});
