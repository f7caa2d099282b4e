import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { openPglite } from '../src/sql/pglite.ts';

const threads = vi.hoisted((): Worker[] => []);
vi.mock(import('node:worker_threads'), async (original) => {
  const real = await original();
  class Known extends real.Worker {
    constructor(...of: ConstructorParameters<typeof Worker>) {
      super(...of);
      threads.push(this);
    }
  }
  return { ...real, Worker: Known };
});

test('a transaction whose thread ends between two statements fails as a whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-lost-thread-'));
  const database = await openPglite(folder);
  try {
    await database.query('create table t (n int)');
    const halved = database.transaction(async (runner) => {
      await runner.query('insert into t values (1)');
      await threads[threads.length - 1]?.terminate();
      await runner.query('insert into t values (2)');
    });
    await expect(halved).rejects.toMatchObject({ code: 'database-failed' });
    expect(await database.query('select n from t')).toEqual([]);
    await database.transaction((runner) => runner.query('insert into t values (3)'));
    expect(await database.query('select n from t')).toEqual([{ n: 3 }]);
  } finally {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  }
});
