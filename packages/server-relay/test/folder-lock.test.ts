import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFolder } from '../src/sql/folder-lock.ts';
import { identityOf } from '../src/sql/process-identity.ts';

let folder: string;
let lockFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-lock-'));
  lockFile = join(folder, 'keytide.lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The lock file of a process that is gone. */
async function deadOwner(): Promise<string> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  const identity = await identityOf(child.pid as number);
  await once(child, 'exit');
  return JSON.stringify(identity);
}

test('a folder is locked once, and again after its release', async () => {
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'data-folder-locked' });
  await lock.release();
  await (await lockFolder(folder)).release();
  expect(await readdir(folder)).toEqual([]);
});

test('the lock of a dead process is taken over', async () => {
  await writeFile(lockFile, await deadOwner());
  const lock = await lockFolder(folder);
  expect(JSON.parse(await readFile(lockFile, 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
  expect(await readdir(folder)).toEqual([]);
});

test('the lock of an earlier process with the same number is taken over', async () => {
  const me = await identityOf(process.pid);
  expect(me?.started).not.toBe('');
  await writeFile(lockFile, JSON.stringify({ ...me, started: 'another start' }));
  await (await lockFolder(folder)).release();
});

test('of many that find a dead owner, one takes over', async () => {
  const dead = await deadOwner();
  for (let round = 0; round < 20; round += 1) {
    await writeFile(lockFile, dead);
    // A takeover that was itself interrupted is in the way.
    if (round % 2 === 1) await writeFile(`${lockFile}.takeover`, dead);
    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    const taken = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    expect(taken).toHaveLength(1);
    const refusals = attempts.flatMap((attempt) =>
      attempt.status === 'rejected' ? [attempt.reason.code] : [],
    );
    expect(refusals).toEqual(Array(7).fill('data-folder-locked'));
    await taken[0]?.release();
    expect(await readdir(folder)).toEqual([]);
  }
});

test('a file that is no lock of ours is left alone', async () => {
  for (const content of ['', 'hello', '{"pid":-1,"started":""}', '{"pid":"1","started":""}', '[]', 'null']) {
    await writeFile(lockFile, content);
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'data-folder-locked' });
    expect(await readFile(lockFile, 'utf8')).toBe(content);
  }
});
