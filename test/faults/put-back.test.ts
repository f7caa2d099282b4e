import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOrganisation, join as enter, type Lost } from '@keytide/client';
import { toHex } from '@keytide/crypto-core';
import { nodePorts } from '@keytide/client/node';
import { dataKeyPath, openDataKeyFile, startRelay, type Relay } from '@keytide/server-relay';
import { startPostgres, type TestPostgres } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backUp } from '../../packages/server-relay/src/backup/back-up.ts';
import { restore } from '../../packages/server-relay/src/backup/restore.ts';
import { openPostgres } from '../../packages/server-relay/src/sql/postgres.ts';
import { beginTimeline } from '../../packages/server-relay/src/operate/new-timeline.ts';
import { openDatabase } from '../../packages/server-relay/src/sql/open.ts';
import { chatPeople, hears, says, textsOf, type Person } from '../stories/chat-people.ts';
import { leapingClock } from '../stories/leaping-clock.ts';

const people = chatPeople(leapingClock(Date.now()));
let postgres: TestPostgres;
let folder: string;
let relay: Relay;

beforeAll(async () => {
  postgres = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), 'keytide-put-back-'));
});
afterAll(async () => {
  await people.close();
  await relay.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

const on = (url: string) => ({ kind: 'postgres', url, keyFile: join(folder, 'relay-key') }) as const;

async function serve(url: string, port: number): Promise<void> {
  relay = await startRelay({ database: on(url), port, log: () => undefined });
}

test('a relay is backed up while it runs, is lost with its database, and goes on with another one', async () => {
  const first = await postgres.createDatabase('first');
  await serve(first, 0);
  const port = Number(new URL(relay.url).port);
  const ada = await people.enters(
    (entered) => createOrganisation({ ...entered, relayUrl: relay.url, handle: 'ada' }),
    nodePorts,
  );
  const link = await ada.client.invite();
  const bo = await people.enters((entered) => enter({ ...entered, link, handle: 'bo' }), nodePorts);
  await says(ada, 'one');
  await says(bo, 'two');
  await hears(ada, 'two');
  const backups = {
    folder: join(folder, 'backups'),
    blobFolder: null,
    nowMs: Date.now(),
    progress: () => undefined,
  };
  expect(await backUp({ ...backups, database: on(first) })).toMatchObject({ blobs: 0 });
  await says(ada, 'three');
  await hears(bo, 'three');
  await says(bo, 'four');
  await hears(ada, 'four');
  await ada.client.invite();
  await expect.poll(() => bo.client.directorySize).toBe(ada.client.directorySize);
  const size = ada.client.directorySize;
  const lost = new Map<Person, Lost[]>([
    [ada, []],
    [bo, []],
  ]);
  for (const [one, told] of lost) one.client.on('lost', (what) => void told.push(what));
  const put = {
    ...backups,
    openWrapper: () => openDataKeyFile(dataKeyPath(on(first))),
    mayReplace: false,
  };
  // Not while somebody serves it, nor over what is there.
  await expect(restore({ ...put, database: on(first) })).rejects.toMatchObject({ code: 'database-in-use' });
  await relay.close();
  await expect(restore({ ...put, database: on(first) })).rejects.toMatchObject({ code: 'restore-not-empty' });
  // Nor beside nodes that share it, as one of them.
  const node = await openPostgres(first, 0, 'node');
  const shared = { ...on(first), cluster: {} };
  await expect(restore({ ...put, database: shared })).rejects.toMatchObject({ code: 'database-in-use' });
  await node.close();
  const second = await postgres.createDatabase('second');
  await restore({ ...put, database: on(second) });
  await serve(second, port);
  for (const [one, told] of lost) {
    await expect.poll(() => told.length, { timeout: 30_000 }).toBe(1);
    for (const text of ['three', 'four']) await hears(one, text);
    await expect.poll(() => one.client.state.kind, { timeout: 30_000 }).toBe('online');
    expect(textsOf(one).toSorted()).toEqual(['four', 'one', 'three', 'two']);
    expect(one.client.directorySize).toBe(size);
    expect(told.map(({ again, others }) => [again, others.length])).toEqual([[1, 1]]);
    expect(one.client.divergence).toBeNull();
  }
}, 120_000);

test('a dump that is put back over the database is noticed; what is not is said by hand, while no relay serves it', async () => {
  await relay.close();
  const url = await postgres.createDatabase('dumped');
  const node = { ...on(url), cluster: {} };
  const look = async (script: string): Promise<string> => {
    const opened = await openDatabase(on(url));
    try {
      await opened.transaction((runner) => runner.script(script));
      const [row] = await opened.query('select timeline from relay_state');
      return toHex(row?.['timeline'] as Uint8Array);
    } finally {
      await opened.close();
    }
  };
  const seen: string[] = [];
  const again = async (script = ''): Promise<boolean> => {
    await serve(url, 0);
    await relay.close();
    seen.push(await look(script));
    return seen.at(-1) !== seen.at(-2);
  };
  await again();
  // Neither an ordinary start, nor what PostgreSQL does by itself, nor its own crash.
  expect(
    await again('analyze relay_state; truncate relay_nodes; alter table relay_state add column later int'),
  ).toBe(false);
  await postgres.restart();
  expect(await again('alter table relay_state drop column later')).toBe(false);
  // As pg_restore --clean does it: every table anew, with the rows that it had.
  await look(
    `create table dumped as table relay_state; drop table relay_state;
     create table relay_state (one boolean primary key default true check (one), timeline bytea not null,
       fingerprint text not null, changed_ms bigint);
     insert into relay_state table dumped; drop table dumped`,
  );
  expect(await again()).toBe(true);
  expect(await again()).toBe(false);
  await serve(url, 0);
  await expect(beginTimeline(on(url), 1)).rejects.toMatchObject({ code: 'database-in-use' });
  await relay.close();
  // Nor beside the nodes of several.
  relay = await startRelay({ database: node, port: 0, log: () => undefined });
  await expect(beginTimeline(node, 1)).rejects.toMatchObject({ code: 'database-in-use' });
  await relay.close();
  expect(await again()).toBe(false);
  await beginTimeline(node, 1);
  expect(await again()).toBe(true);
}, 120_000);
