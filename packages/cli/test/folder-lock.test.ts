import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withDestination } from '../src/archive-place.ts';
import { withAgentLock, withFolderLock } from '../src/folder-lock.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-folder-lock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('one writes at a time, and whoever comes later hears so', async () => {
  const path = join(folder, 'archive');
  await withDestination(path, async () => {
    const refused = expect.objectContaining({ code: 'place-in-use' });
    await expect(withDestination(path, async () => 'twice')).rejects.toEqual(refused);
    await expect(withDestination(`${path}/`, async () => 'twice')).rejects.toEqual(refused);
    expect(await withFolderLock(join(folder, 'other'), async () => 'beside')).toBe('beside');
  });
  expect(await withDestination(path, async () => 'later')).toBe('later');
  await withAgentLock(folder, async () => {
    await expect(withAgentLock(folder, async () => 'two')).rejects.toMatchObject({ code: 'agent-running' });
  });
  expect(await readdir(folder)).toEqual([]);
});

test('the lock of a process that is gone, as after a reboot, holds nobody up', async () => {
  const path = join(folder, 'killed');
  let lock = '';
  await withFolderLock(path, async () => void (lock = await readFile(`${path}.lock`, 'utf8')));
  const mine = JSON.parse(lock) as { start: string };
  // Of this number, and from before the reboot.
  await writeFile(`${path}.lock`, JSON.stringify({ ...mine, start: 'another boot:1' }));
  expect(await withFolderLock(path, async () => 'mine')).toBe('mine');
});
