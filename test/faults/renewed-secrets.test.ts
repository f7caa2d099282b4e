import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type TestPostgres } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { carrierOf } from '../../packages/server-relay/src/cluster/carrier.ts';
import type { LogEvent } from '../../packages/server-relay/src/log-event.ts';
import { parseConfig } from '../../packages/server-relay/src/operate/config.ts';
import { openSecrets } from '../../packages/server-relay/src/operate/open-secrets.ts';
import type { SqlDatabase } from '../../packages/server-relay/src/sql/database.ts';
import { visitDatabase } from '../../packages/server-relay/src/sql/open.ts';
import { startRedis, type TestRedis } from './redis.ts';

let postgres: TestPostgres;
let redis: TestRedis;
let folder: string;
const events: LogEvent[] = [];
/** Nothing here is the relay's to do. */
const nobody = { reload: fail, useKeyWrapper: fail, usePush: fail };

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  folder = await mkdtemp(join(tmpdir(), 'keytide-renewed-'));
});
afterAll(async () => {
  await Promise.all([postgres.stop(), redis.stop()]);
  await rm(folder, { recursive: true, force: true });
});

function fail(): never {
  throw new Error('not asked for');
}

const write = (name: string, text: string): Promise<void> =>
  writeFile(join(folder, name), text, { mode: 0o600 });

async function open() {
  const file = { keyFile: join(folder, 'key'), nodes: 2, publicUrl: 'https://relay.example' };
  const named = {
    databaseUrl: `file:${join(folder, 'database')}`,
    redisUrl: `file:${join(folder, 'redis')}`,
  };
  events.length = 0;
  return openSecrets(parseConfig({ ...file, ...named }, {}), {}, (event) => void events.push(event));
}

/** As whom a connection that is there, and one that is made now, see the database. */
async function users(database: SqlDatabase): Promise<unknown[]> {
  const ask = `select current_user::text as who`;
  return database.transaction(async (there) => {
    const [before] = await there.query(ask);
    const [now] = await database.query(ask);
    return [before?.['who'], now?.['who']];
  });
}

test('another user of the same database counts for the connections from then on, and nothing else is taken', async () => {
  await write('database', postgres.url);
  await write('redis', `redis://127.0.0.1:${redis.port}`);
  const secrets = await open();
  const database = await visitDatabase(secrets.options.database);
  if (database === null) throw new Error('no database');
  try {
    await database.query('create role renewed login');
    const renewed = postgres.url.replace('keytide@', 'renewed:hunter2@');
    await write('database', renewed);
    await secrets.renew(nobody);
    expect(events).toEqual(['databaseUrl', 'redisUrl'].map((what) => ({ event: 'reloaded', what })));
    expect(await users(database)).toEqual(['keytide', 'renewed']);
    for (const [text, code] of [
      [renewed.replace('renewed', 'nobody'), 'database-failed'],
      [renewed.replace(/postgres$/, 'template1'), 'secret-unusable'],
      [renewed.replace('127.0.0.1', 'localhost'), 'secret-unusable'],
      ['hunter2', 'secret-unusable'],
      ['', 'secret-missing'],
    ] as const) {
      await write('database', text);
      events.length = 0;
      await secrets.renew(nobody);
      expect(events[0]).toEqual({ event: 'failed', where: 'reload', code, what: 'databaseUrl' });
    }
    expect(JSON.stringify(events)).not.toContain('hunter2');
    expect((await users(database))[1]).toBe('renewed');
  } finally {
    await database.close();
    secrets.close();
  }
});

test('another password of Redis counts when the connection is made again; one that is wrong is not taken', async () => {
  await write('database', postgres.url);
  await write('redis', `redis://127.0.0.1:${redis.port}`);
  const secrets = await open();
  let subscribed = 0;
  const heard: number[] = [];
  const carrier = (await carrierOf(secrets.options.database, new Uint8Array(32)))?.(
    (bytes) => void heard.push(...bytes),
    () => void (subscribed += 1),
  );
  try {
    await expect.poll(() => subscribed).toBeGreaterThan(0);
    const admin = connect(redis.port, '127.0.0.1').end('CONFIG SET requirepass renewed\r\n');
    expect(String((await once(admin, 'data'))[0])).toBe('+OK\r\n');
    const renew = async (password: string) => {
      await write('redis', `redis://:${password}@127.0.0.1:${redis.port}`);
      events.length = 0;
      await secrets.renew(nobody);
      return events[1];
    };
    expect(await renew('hunter2')).toEqual({
      event: 'failed',
      where: 'reload',
      code: 'secret-unusable',
      what: 'redisUrl',
    });
    expect(await renew('renewed')).toEqual({ event: 'reloaded', what: 'redisUrl' });
    const before = subscribed;
    carrier?.again();
    await expect.poll(() => subscribed).toBeGreaterThan(before);
    await carrier?.send(Uint8Array.of(7));
    await expect.poll(() => heard).toEqual([7]);
  } finally {
    await carrier?.close();
    secrets.close();
  }
});
