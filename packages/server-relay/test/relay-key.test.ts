import { writeFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64Url, toHex, type Random } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { startRelay, type LogEvent, type Relay } from '@keytide/server-relay';
import { folderDatabase, seededRandom, seededWorld } from '@keytide/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRelayKey } from '../src/relay-key.ts';
import { keyOf } from './directory-reader.ts';
import { settle } from './relay-under-test.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-relay-key-'));
  path = join(folder, 'relay-key');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function open(isFirstStart = true, random: Random = nodeRandom) {
  return openRelayKey(nodePrimitives, random, { path, isFirstStart });
}

test('the first start makes a file of 32 bytes for its owner alone; later ones read it', async () => {
  const { publicKey } = await open();
  const { mode, size } = await stat(path);
  expect({ mode: mode & 0o777, size }).toEqual({ mode: 0o600, size: 32 });
  expect(await readdir(folder)).toEqual(['relay-key']);
  const seed = new Uint8Array(await readFile(path));
  expect(nodePrimitives.signer(seed).publicKey).toEqual(publicKey);
  for (const isFirstStart of [true, false]) expect((await open(isFirstStart)).publicKey).toEqual(publicKey);
});

test('who starts at the same time gets the same key', async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => open()));
  expect(new Set(keys.map(({ publicKey }) => toHex(publicKey))).size).toBe(1);
  expect(await readdir(folder)).toEqual(['relay-key']);
});

test('a key that somebody else has just made is taken, and not replaced', async () => {
  const theirs = nodeRandom(32);
  const random: Random = (sizeBytes) => {
    writeFileSync(path, theirs, { mode: 0o600 });
    return nodeRandom(sizeBytes);
  };
  expect((await open(true, random)).publicKey).toEqual(nodePrimitives.signer(theirs).publicKey);
  expect(await readdir(folder)).toEqual(['relay-key']);
});

test('a key that is gone is not made again', async () => {
  await expect(open(false)).rejects.toMatchObject({ code: 'relay-key-missing' });
  expect(await readdir(folder)).toEqual([]);
});

test('a file that others can read, or a group can write, is refused', async () => {
  await open();
  for (const mode of [0o604, 0o620, 0o601, 0o666]) {
    await chmod(path, mode);
    await expect(open(), mode.toString(8)).rejects.toMatchObject({ code: 'relay-key-unusable' });
  }
  for (const mode of [0o400, 0o440, 0o640]) {
    await chmod(path, mode);
    await open();
  }
});

test('a file of another length, or a folder that is not there, is refused and left as it is', async () => {
  for (const sizeBytes of [0, 31, 33, 64]) {
    await writeFile(path, new Uint8Array(sizeBytes), { mode: 0o600 });
    await expect(open()).rejects.toMatchObject({ code: 'relay-key-unusable' });
    expect((await stat(path)).size).toBe(sizeBytes);
  }
  path = join(folder, 'not there', 'relay-key');
  await expect(open()).rejects.toMatchObject({ code: 'relay-key-unusable' });
});

test('a relay keeps its key over restarts, does not start without it, and never logs it', async () => {
  const world = seededWorld({ seed: 'relay key', members: 2 });
  const events: LogEvent[] = [];
  const start = (): Promise<Relay> =>
    startRelay({
      database: folderDatabase(folder),
      port: 0,
      clock: world.clock,
      random: seededRandom('relay key'),
      log: (event) => void events.push(event),
    });
  let relay = await start();
  const key = await keyOf(relay);
  await settle(relay, world);
  await relay.close();
  const seed = new Uint8Array(await readFile(path));
  await rm(path);
  await expect(start()).rejects.toMatchObject({ code: 'relay-key-missing' });
  await writeFile(path, seed, { mode: 0o600 });
  relay = await start();
  expect(toHex(await keyOf(relay))).toBe(toHex(key));
  await relay.close();
  const text = JSON.stringify(events);
  for (const form of [toHex(seed), toBase64Url(seed), Buffer.from(seed).toString('base64'), seed.join()])
    expect(text).not.toContain(form);
}, 60_000);
