import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { folderDatabase, memoryDatabase, seededRandom, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOrganisations } from '../src/organisations.ts';
import type { SqlDatabase } from '../src/sql/database.ts';
import { beginTimeline } from '../src/operate/new-timeline.ts';
import { fingerprintOf } from '../src/sql/fingerprint.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { openDatabase, openStore } from '../src/sql/open.ts';
import { sqlRelayStore } from '../src/sql/store.ts';
import { beginServing, settleTimeline } from '../src/sql/timeline.ts';
import { assertSameTimeline, mustWait } from '../src/timeline.ts';
import { relayUnderTest } from './relay-under-test.ts';

const random = seededRandom('timelines');
const session = {
  org: orgId(random(32)),
  id: random(32),
  subject: { kind: 'device', id: 'ab'.repeat(32) },
  tokenHash: random(32),
  expiresMs: 1e15,
  refreshHash: random(32),
  endsMs: 1e15,
} as const;
let database: SqlDatabase;

beforeAll(async () => {
  database = await openDatabase(memoryDatabase());
  await migrate(database, primitives, await readMigrations(), 1);
});
afterAll(() => database.close());

test('a database keeps its timeline for as long as it is what it was; in another one nobody is logged in', async () => {
  const store = sqlRelayStore(database);
  const growth = { hashes: [], nodes: [], checkpoint: random(9) };
  await store.createOrganisation({ org: session.org, wire: random(9), growth, nowMs: 1 });
  await store.putSession(session, 16);
  const opened = (print: string) => settleTimeline(database, { before: [print], now: print });
  const first = await opened('one');
  expect(first).toEqual({ id: expect.any(Uint8Array), changedMs: 0 });
  expect(first.id).toHaveLength(16);
  expect(await opened('one')).toEqual(first);
  expect(await settleTimeline(database, { before: ['three', 'one'], now: 'four' })).toEqual(first);
  expect(await opened('four')).toEqual(first);
  expect(await beginServing(database, 20)).toBe(0);
  expect(await store.readSession(session.org, session.tokenHash)).not.toBeNull();
  const second = await opened('two');
  expect(second.id).not.toEqual(first.id);
  expect(second.changedMs).toBeNull();
  expect(await opened('two')).toEqual(second);
  // From the first that serves it on.
  expect(await beginServing(database, 30)).toBe(30);
  expect(await beginServing(database, 40)).toBe(30);
  expect(await opened('two')).toEqual({ ...second, changedMs: 30 });
  expect(await store.readSession(session.org, session.tokenHash)).toBeNull();
});

test('a folder that is copied is not what it was, one that is renamed is', async () => {
  const root = await mkdtemp(join(tmpdir(), 'keytide-fingerprint-'));
  const print = (name: string) =>
    fingerprintOf(folderDatabase(join(root, name)), { query: () => Promise.resolve([]) });
  try {
    await expect(print('none')).rejects.toMatchObject({ code: 'database-failed' });
    const made = await openDatabase(folderDatabase(join(root, 'one')));
    await made.close();
    const first = await print('one');
    expect(await print('one')).toBe(first);
    await cp(join(root, 'one'), join(root, 'two'), { recursive: true });
    expect(await print('two')).not.toBe(first);
    await rename(join(root, 'one'), join(root, 'three'));
    expect(await print('three')).toBe(first);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

/** As `cp -a` does it: what is there keeps its inode. */
async function copyOver(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [one, other] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyOver(one, other);
    else await writeFile(other, await readFile(one));
  }
}

test('what is put back over a folder is noticed, and a start alone changes nothing', async () => {
  const root = await mkdtemp(join(tmpdir(), 'keytide-marks-'));
  const [folder, copy] = [join(root, 'data'), join(root, 'copy')];
  const options = folderDatabase(folder);
  const start = async (): Promise<string> => {
    const { store, timeline, beginServing: serves } = await openStore(options, primitives, 0);
    await serves(1);
    await store.close();
    return Buffer.from(timeline.id).toString('hex');
  };
  const marks = async () => (await readdir(folder)).filter((name) => name.startsWith('start-'));
  try {
    const first = await start();
    await cp(folder, copy, { recursive: true });
    expect(await start()).toBe(first);
    expect(await marks()).toHaveLength(1);
    // Over it, file by file: the folder is the same one.
    await copyOver(copy, folder);
    expect(await marks()).toHaveLength(2);
    const second = await start();
    expect(second).not.toBe(first);
    expect(await marks()).toHaveLength(1);
    expect(await start()).toBe(second);
    // Over it, and away with what is not in the copy.
    for (const mark of await marks()) await rm(join(folder, mark));
    await copyOver(copy, folder);
    const third = await start();
    expect([first, second]).not.toContain(third);
    // The database alone.
    await rm(copy, { recursive: true });
    await cp(folder, copy, { recursive: true });
    expect(await start()).toBe(third);
    await copyOver(join(copy, 'postgres'), join(folder, 'postgres'));
    const fourth = await start();
    expect(fourth).not.toBe(third);
    // A start that was killed between the mark and the record, or after it, left two.
    await cp(join(folder, (await marks())[0] as string), join(folder, `start-${'0a'.repeat(16)}`));
    expect(await start()).toBe(fourth);
    expect(await marks()).toHaveLength(1);
    // Said by hand, where nothing shows it.
    await beginTimeline(options, 1);
    const fifth = await start();
    expect(fifth).not.toBe(fourth);
    expect(await start()).toBe(fifth);
    await expect(beginTimeline({ ...options, folder: join(root, 'none') }, 1)).rejects.toMatchObject({
      code: 'not-found',
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}, 240_000);

test('a start that fails uses up nothing of the minute that newer things wait', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-settle-'));
  const options = folderDatabase(folder);
  const taken = createServer();
  const changedMs = async (): Promise<unknown> => {
    const opened = await openDatabase(options);
    const [row] = await opened.query('select changed_ms from relay_state');
    await opened.close();
    return row?.['changed_ms'];
  };
  try {
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    await (await openStore(options, primitives, 0)).store.close();
    await beginTimeline(options, 1);
    const serve = (at: number, on: number) =>
      relayUnderTest({ database: options, clock: { now: () => at }, port: on });
    await expect(serve(1_000, port)).rejects.toMatchObject({ code: 'address-in-use' });
    expect(await changedMs()).toBeNull();
    for (const at of [900_000, 950_000]) {
      await (await serve(at, 0)).close();
      expect(await changedMs()).toBe(900_000);
    }
  } finally {
    await new Promise((resolve) => taken.close(resolve));
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

test('a place in a log is of one timeline; from the beginning on, any', () => {
  const [own, other] = [random(16), random(16)];
  assertSameTimeline(own, 0, undefined);
  assertSameTimeline(own, 9, own.slice());
  for (const [seq, named] of [
    [1, undefined],
    [1, other],
    [0, other],
  ] as const)
    expect(() => assertSameTimeline(own, seq, named)).toThrow(
      expect.objectContaining({ code: 'timeline-changed' }),
    );
});

test('after a change, what is newer waits for a minute, so that it does not take the place of what is lost', async () => {
  const changed = { id: random(16), changedMs: 1_000 };
  expect(mustWait(changed, 1_500, 60_000, 1_001)).toBe(true);
  expect(mustWait(changed, 1_500, 60_000, 1_000)).toBe(false);
  expect(mustWait(changed, 61_000, 60_000, 1_001)).toBe(false);
  expect(mustWait({ ...changed, changedMs: 0 }, 1_500, 60_000, 1_001)).toBe(false);
  // Before a relay serves it, from now on.
  expect(mustWait({ ...changed, changedMs: null }, 1_500, 60_000, 1_501)).toBe(true);
  expect(mustWait({ ...changed, changedMs: null }, 1_500, 60_000, 1_500)).toBe(false);

  const world = seededWorld({ seed: 'what waits', members: 2 });
  const [genesis, ...rest] = world.wires as [Uint8Array, ...Uint8Array[]];
  let after = 0;
  const organisations = createOrganisations({
    store: sqlRelayStore(database),
    primitives,
    signer: primitives.signer(random(32)),
    clock: world.clock,
    idle: 1,
    grown: () => undefined,
    mustWait: (madeMs) => madeMs > after,
  });
  await organisations.create(genesis, () => Promise.resolve());
  const subject = { kind: 'device', id: world.members[0].devices[0].id } as const;
  const [next] = rest as [Uint8Array];
  await expect(organisations.append(world.org, subject, next)).rejects.toMatchObject({ code: 'unavailable' });
  // What was made before comes in.
  after = Infinity;
  expect(await organisations.append(world.org, subject, next)).toBe(1);
});
