import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endChildren } from './child.ts';
import { openPglite, type TestDatabase } from './databases.ts';
import { createRelayProcess } from './relay-process.ts';
import { createSchedule } from './schedule.ts';

let opened: TestDatabase;

beforeAll(async () => {
  opened = await openPglite();
});

afterAll(async () => {
  await endChildren();
  await opened?.remove();
});

/** Resolves when some folder under `folder` looks like a database, which it does before it is whole. */
async function databaseAppears(folder: string): Promise<void> {
  for (;;) {
    const names = await readdir(folder);
    if (names.some((name) => existsSync(join(folder, name, 'PG_VERSION')))) return;
    await sleep(1);
  }
}

test('a relay killed while it makes its database starts on the same folder', async () => {
  const schedule = createSchedule('first start');
  if (opened.database.kind !== 'pglite') throw new Error('not an embedded database');
  const { folder } = opened.database;
  const relay = await createRelayProcess(opened.database);

  relay.start();
  await sleep(schedule.between(300, 2000));
  await relay.kill();

  relay.start();
  await databaseAppears(folder);
  await relay.kill();

  relay.start();
  await relay.listening();
  expect((await fetch(`${relay.url}/v1/health`)).status).toBe(200);
});
