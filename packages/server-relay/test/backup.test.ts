import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fromBase64Url, fromHex, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { RelayFrame } from '@keytide/relay-protocol';
import { seededRandom, seededWorld, startPostgres, type TestPostgres } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backUp, type BackedUp, type BackUpOptions } from '../src/backup/back-up.ts';
import { restore, type Restored, type RestoreOptions } from '../src/backup/restore.ts';
import { rowsOf, tablesIn } from '../src/backup/tables.ts';
import { folderBlobStore } from '../src/blob-store.ts';
import { createBlobs } from '../src/blobs.ts';
import { dataKeyPath, openDataKeyFile } from '../src/data-key-file.ts';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { parseConfig } from '../src/operate/config.ts';
import { examine } from '../src/operate/doctor.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { visitPostgres } from '../src/sql/postgres.ts';
import { sqlRelayStore } from '../src/sql/store.ts';
import { announceOf, appendOf } from './group.ts';
import { greet } from './line.ts';
import { call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const DAY_MS = 86_400_000;
const policy = {
  retentionSeconds: 5 * 86_400,
  exportSeconds: 10 * 86_400,
  blockSeconds: 86_400,
  exportWaived: true,
} as const;
const world = seededWorld({ seed: 'backup', members: 2, policy });
const { org, clock } = world;
const group = world.state.everyone;
const [ada] = world.members[0].devices;
const random = seededRandom('bytes of a backup');
const blob = toHex(random(32));
const share = random(32);
let root: string;
let postgres: TestPostgres;
const urls = new Map<string, string>();
let generations: string[];
/** What the first relay has. */
let before: Map<string, unknown[]>;

const at = (name: string) =>
  ({ kind: 'postgres', url: urls.get(name) as string, keyFile: join(root, name, 'relay-key') }) as const;
const backups = (): string => join(root, 'backups');

function serve(name: string): Promise<RelayUnderTest> {
  return relayUnderTest({ database: at(name), clock });
}

/** What a device does in a day: three messages, the first with its epoch, a document, an attachment. */
async function write(relay: RelayUnderTest, isFirst: boolean): Promise<void> {
  const token = await tokenOf(relay, org, ada);
  const line = await greet(relay, token);
  if (isFirst) {
    line.send(await announceOf(world, ada, 1));
    await line.next('appended');
    const path = `/organisations/${org}/blobs/${blob}`;
    expect((await call(relay, 'POST', path, { token, body: { sizeBytes: 5 } })).status).toBeLessThan(300);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' };
    const url = `${relay.url}/v1${path}?offset=0`;
    expect(
      (await fetch(url, { method: 'PUT', headers, body: Uint8Array.of(1, 2, 3, 4, 5) })).status,
    ).toBeLessThan(300);
    const document = { token, body: { body: 'oWF4AQ' } };
    await call(relay, 'PUT', `/organisations/${org}/data/members/notes/one`, document);
  }
  line.send(appendOf(world, 2, 3));
  await line.next('appended');
  line.socket.close();
}

async function back(options: Partial<BackUpOptions> = {}): Promise<BackedUp> {
  return backUp({
    database: at('first'),
    blobFolder: join(root, 'first', 'blobs'),
    folder: backups(),
    nowMs: clock.now(),
    progress: () => undefined,
    ...options,
  });
}

function put(name: string, options: Partial<RestoreOptions> = {}): Promise<Restored> {
  return restore({
    database: at(name),
    blobFolder: join(root, name, 'blobs'),
    openWrapper: () => openDataKeyFile(dataKeyPath(at(name))),
    folder: backups(),
    mayReplace: true,
    nowMs: clock.now(),
    progress: () => undefined,
    ...options,
  });
}

/** Runs statements on a database, also while a relay serves it. */
async function run(name: string, ...statements: (readonly [string, ...(number | Uint8Array)[]])[]) {
  const opened = visitPostgres(at(name).url);
  try {
    for (const [text, ...params] of statements) await opened.query(text, params);
  } finally {
    await opened.close();
  }
}

/** What is not under a key that is forgotten: a request with its answer, an unlock share, mail, pre-keys. */
async function leave(): Promise<void> {
  const [of, device, year] = [
    fromHex(org) as Uint8Array,
    fromHex(ada.id) as Uint8Array,
    clock.now() + 365 * DAY_MS,
  ];
  const [id, bytes] = [random(32), random(16)];
  await run(
    'first',
    [
      'select put_access_request($1, $2, $3, $4, $5, 0, 0, $6)',
      of,
      id,
      fromHex(group) as Uint8Array,
      device,
      bytes,
      year,
    ],
    ['select put_access_answer($1, $2, $3, $4, 0, 16)', of, id, device, bytes],
    ['insert into unlock_shares values ($1, $2, $3, $4, $2, $5, 0)', of, id, device, share, year],
    ['select put_mail($1, $2, $2, $3, $3, $3, $4, 9, 9)', of, device, bytes, year],
    [`select put_pre_keys($1, $2, $3, $4, 0, $3, '{1}', '{16}', 9)`, of, device, bytes, year],
  );
}

/** Everything that a backup has of a database, by table. */
async function contentOf(name: string): Promise<Map<string, unknown[]>> {
  const opened = visitPostgres(at(name).url);
  const content = new Map<string, unknown[]>();
  try {
    await opened.transaction(async (runner) => {
      const { main, keys } = await tablesIn(runner);
      for (const table of [...main, ...keys]) {
        const rows: string[] = [];
        for await (const some of rowsOf(runner, table))
          rows.push(
            ...some.map((row) =>
              JSON.stringify(row.map((cell) => (cell instanceof Uint8Array ? toHex(cell) : cell))),
            ),
          );
        content.set(table.name, rows.toSorted());
      }
    });
    const [state] = await opened.query('select timeline from relay_state');
    content.set('timeline', [state?.['timeline']]);
    const [sessions] = await opened.query('select count(*)::int as sessions from sessions');
    content.set('sessions', [sessions?.['sessions']]);
  } finally {
    await opened.close();
  }
  return content;
}

async function givesKeysTo(name: string): Promise<void> {
  await mkdir(join(root, name), { recursive: true, mode: 0o700 });
  for (const key of ['relay-key', 'relay-key.data']) {
    await copyFile(join(root, 'first', key), join(root, name, key));
    await chmod(join(root, name, key), 0o600);
  }
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'keytide-backup-'));
  postgres = await startPostgres();
  for (const name of ['first', 'second', 'third']) urls.set(name, await postgres.createDatabase(name));
  await mkdir(join(root, 'first'));
  const relay = await serve('first');
  await settle(relay, world);
  await write(relay, true);
  await leave();
  generations = [(await back()).generation];
  clock.advance(DAY_MS);
  await write(relay, false);
  generations.push((await back()).generation);
  await relay.close();
});
afterAll(async () => {
  await postgres.stop();
  await rm(root, { recursive: true, force: true });
});

test('everything is put back into an empty place, in another timeline and with nobody logged in', async () => {
  await givesKeysTo('second');
  expect(await put('second', { mayReplace: false })).toMatchObject({ generation: generations[1] });
  before = await contentOf('first');
  const after = await contentOf('second');
  for (const [name, rows] of before) {
    if (name === 'timeline') expect(after.get(name)).not.toEqual(rows);
    // Generations of sessions have risen.
    else if (name === 'sessions') expect(after.get(name)).toEqual([0]);
    else if (name !== 'organisations') expect([name, after.get(name)]).toEqual([name, rows]);
  }
  expect(before.get('entries')).toHaveLength(7);
  for (const name of ['access_requests', 'access_answers', 'mail', 'mailboxes', 'one_time_pre_keys'])
    expect([name, before.get(name)?.length]).toEqual([name, 1]);
  expect(await readFile(join(root, 'second', 'blobs', org, blob))).toHaveLength(5);
  // A relay goes on with it.
  const relay = await serve('second');
  try {
    const line = await greet(relay, await tokenOf(relay, org, ada));
    line.send({ type: 'subscribe', group, afterSeq: 0 });
    expect((await line.next('entries')).entries).toHaveLength(4);
    expect(await line.next('caught-up')).toMatchObject({ headSeq: 7 });
    // A place of before is refused.
    const old = before.get('timeline')?.[0] as Uint8Array;
    line.send({ type: 'subscribe', group, afterSeq: 7, timeline: old });
    expect(await line.next('refused')).toMatchObject({ requestId: null, code: 'timeline-changed' });
  } finally {
    await relay.close();
  }
  await expect(put('second', { mayReplace: false })).rejects.toMatchObject({ code: 'restore-not-empty' });
  // Without the relay's key it would not start, and the doctor says so.
  await rm(join(root, 'second', 'relay-key'));
  const findings = [];
  const config = parseConfig({ databaseUrl: at('second').url, keyFile: at('second').keyFile }, {});
  for await (const finding of examine(config, Date.now())) findings.push(finding);
  expect(findings).toContainEqual(expect.objectContaining({ check: 'relay-key', verdict: 'fail' }));
});

test('what is cut off, altered, of another relay, or without its keys is refused, and nothing is changed', async () => {
  const main = join(backups(), `${generations[1]}.backup`);
  const keys = join(backups(), 'keys');
  const damages = async (path: string, damage: () => Promise<void>): Promise<void> => {
    const kept = await readFile(path);
    await damage();
    await expect(put('first', { generation: generations[1] as string })).rejects.toMatchObject({
      code: 'backup-damaged',
    });
    await writeFile(path, kept);
  };
  for (const path of [main, keys]) {
    const { size } = await stat(path);
    await damages(path, () => truncate(path, size - 1));
    await damages(path, () => truncate(path, Math.floor(size / 2)));
    await damages(path, async () => {
      const bytes = await readFile(path);
      bytes[Math.floor(size / 2)]! ^= 1;
      await writeFile(path, bytes);
    });
    await damages(path, () => rm(path));
  }
  await expect(put('first', { folder: join(root, 'nowhere') })).rejects.toMatchObject({
    code: 'backup-missing',
  });
  const place = join(root, 'third');
  await expect(put('third')).rejects.toMatchObject({ code: 'relay-key-missing' });
  await givesKeysTo('third');
  await writeFile(join(place, 'relay-key'), random(32));
  await expect(put('third')).rejects.toMatchObject({ code: 'relay-key-differs' });
  await givesKeysTo('third');
  await writeFile(join(place, 'relay-key.data'), random(32));
  await expect(put('third')).rejects.toMatchObject({ code: 'data-key-missing' });
  await expect(contentOf('third')).rejects.toMatchObject({ code: 'database-failed' });
  expect(await contentOf('first')).toEqual(before);
});

test('what is forgotten is forgotten in older backups too', async () => {
  const exportMs = world.state.policy.exportSeconds * 1000;
  const [older] = generations as [string];
  expect(before.get('day_keys')).toHaveLength(2);
  clock.advance(exportMs);
  const relay = await serve('first');
  expect(await relay.forget()).toBe(true);
  // Of a device that was wiped. An older backup never had its share but in what each one replaces.
  expect((await readFile(join(backups(), 'keys'))).includes(Buffer.from(share))).toBe(true);
  await run('first', ['delete from unlock_shares'], ['delete from one_time_pre_keys']);
  await back();
  await relay.close();
  for (const name of await readdir(backups(), { recursive: true }))
    if ((await stat(join(backups(), name))).isFile())
      expect([name, (await readFile(join(backups(), name))).includes(Buffer.from(share))]).toEqual([
        name,
        false,
      ]);
  await put('first', { generation: older });
  const content = await contentOf('first');
  // The first day is over, and so is all that this backup has: the log goes on where it has got to.
  expect(content.get('log_days')).toEqual([]);
  // Of the newest backup, whichever is put back.
  expect(['unlock_shares', 'one_time_pre_keys', 'mail'].map((name) => content.get(name)?.length)).toEqual([
    0, 0, 1,
  ]);
  const again = await serve('first');
  try {
    const token = await tokenOf(again, org, ada);
    const line = await greet(again, token);
    line.send({ type: 'subscribe', group, afterSeq: 0 });
    const gap = (await line.next('gap')) as Extract<RelayFrame, { type: 'gap' }>;
    expect(gap.firstAvailableSeq).toBe(5);
    const floor = (await call(again, 'GET', `/organisations/${org}/groups/${group}/floor`, { token }))
      .body as unknown as {
      firstSeq: number;
      statement: string;
    };
    expect(floor.firstSeq).toBe(gap.firstAvailableSeq);
    expect(primitives.sha256(fromBase64Url(floor.statement) as Uint8Array)).toHaveLength(32);
    line.send(appendOf(world, 3, 1));
    expect((await line.next('appended')).seqs).toEqual([gap.firstAvailableSeq]);
  } finally {
    await again.close();
  }
});

test('one backup is made at a time, and removes what a broken one has left', async () => {
  const draft = join(backups(), '2020-01-01T00-00-00-000Z.backup.new');
  await writeFile(draft, 'half');
  const others: Promise<unknown>[] = [];
  const progress = (): void =>
    void (others.length === 0 && others.push(back().catch((error: unknown) => error)));
  const made = await back({ progress, nowMs: clock.now() + DAY_MS });
  expect(await Promise.all(others)).toMatchObject([{ code: 'backup-running' }]);
  expect(made.isNewest).toBe(true);
  expect(await readdir(backups())).not.toContain('2020-01-01T00-00-00-000Z.backup.new');
  // Made while the clock was ahead.
  expect((await back()).isNewest).toBe(false);
});

test('bytes that came after the backup are removed from the relay, and what is not its own is left', async () => {
  const folder = join(root, 'first', 'blobs');
  const [stranger, late] = [join(folder, 'lost+found', 'note'), join(folder, org, toHex(random(32)))];
  await mkdir(dirname(stranger), { recursive: true });
  for (const path of [stranger, late]) await writeFile(path, 'bytes');
  expect(await put('first')).toMatchObject({ isFromFuture: true, blobsLeft: 0 });
  expect([existsSync(stranger), existsSync(late)]).toEqual([true, false]);
});

test('bytes that cannot be removed fail nothing that is done: the rounds of the relay try again, and the next backup', async () => {
  const folder = join(root, 'first', 'blobs');
  const name = join(org, toHex(random(32)));
  // A folder is no file, whoever tries to remove it as one.
  for (const place of [folder, join(backups(), 'blobs')])
    await mkdir(join(place, name, 'more'), { recursive: true });
  expect(await put('first')).toMatchObject({ blobsLeft: 1 });
  expect(await back()).toMatchObject({ blobsLeft: 1 });
  const opened = visitPostgres(at('first').url);
  try {
    const index = sqlRelayStore(opened);
    const blobs = createBlobs({
      index,
      logs: index,
      bytes: folderBlobStore(folder),
      clock,
      limits: DEFAULT_LIMITS,
    });
    const round = () => blobs.forgetOld(() => Promise.resolve(null));
    await expect(round()).rejects.toMatchObject({ code: 'blobs-failed' });
    for (const place of [folder, join(backups(), 'blobs')]) await rm(join(place, name), { recursive: true });
    await writeFile(join(folder, name), 'bytes');
    await round();
    expect(existsSync(join(folder, name))).toBe(false);
    // From here on what the index does not have may be somebody else's.
    await writeFile(join(folder, name), 'bytes');
    await round();
    expect(existsSync(join(folder, name))).toBe(true);
  } finally {
    await opened.close();
  }
  await rm(join(folder, name));
  expect(await back()).toMatchObject({ blobsLeft: 0 });
});

test('a backup of an older relay is put back into an empty place, and the next start brings it up to date', async () => {
  const oldest = (await readMigrations()).filter(({ version }) => version <= 14);
  for (const name of ['older', 'anew']) {
    urls.set(name, await postgres.createDatabase(name));
    await givesKeysTo(name);
  }
  const opened = visitPostgres(at('older').url);
  try {
    await migrate(opened, primitives, oldest, clock.now());
  } finally {
    await opened.close();
  }
  const folder = join(root, 'older-backups');
  await back({ database: at('older'), blobFolder: join(root, 'older', 'blobs'), folder });
  expect(await put('anew', { folder })).toMatchObject({ blobsLeft: 0 });
  const relay = await serve('anew');
  await settle(relay, world);
  await relay.close();
});
