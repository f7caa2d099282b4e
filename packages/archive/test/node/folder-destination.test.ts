import { execFileSync } from 'node:child_process';
import { mkdtemp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { destinationConformance } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderDestination } from '../../src/node.ts';
import { leaveRoom } from './full-disk.ts';

const README = 'data/README-DECRYPT.txt';
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'keytide destination '));
});
afterAll(() => rm(home, { recursive: true, force: true }));

let places = 0;
const newFolder = (): string => {
  places += 1;
  return join(home, String(places));
};

destinationConformance(
  'a folder',
  async () => {
    const folder = newFolder();
    return { open: async () => folderDestination(folder), leaveRoom };
  },
  { describe, it },
);

describe('a folder', () => {
  it('keeps what a killed process has not finished out of sight, and removes it at the next writing', async () => {
    const folder = newFolder();
    await mkdir(folder);
    await writeFile(join(folder, '.unfinished-0011223344556677'), 'half');
    const names: string[] = [];
    const destination = folderDestination(folder);
    for await (const { name } of destination.list()) names.push(name);
    expect(names).toEqual([]);
    await destination.write(README, [Uint8Array.of(1)]);
    expect(await readdir(folder)).toEqual(['data']);
  });

  it('waits for no pipe of a file’s name', async () => {
    const folder = newFolder();
    await mkdir(join(folder, 'data'), { recursive: true });
    execFileSync('mkfifo', [join(folder, README)]);
    const place = folderDestination(folder);
    await expect(place.digest(README)).rejects.toMatchObject({ code: 'missing-file' });
  });

  it('follows no link out of itself', async () => {
    const folder = newFolder();
    await mkdir(join(folder, 'data'), { recursive: true });
    const secret = join(home, 'secret');
    await writeFile(secret, 'not of the archive');
    await symlink(secret, join(folder, README));
    const destination = folderDestination(folder);
    await expect(destination.digest(README)).rejects.toMatchObject({ code: 'missing-file' });
    await destination.write(README, [Uint8Array.of(1)]);
    expect(await readFile(secret, 'utf8')).toBe('not of the archive');
    expect(await destination.digest(README)).toMatchObject({ sizeBytes: 1 });
  });

  it('follows no link to a folder either', async () => {
    const [folder, victim] = [newFolder(), newFolder()];
    await folderDestination(victim).write(README, [Uint8Array.of(1)]);
    await mkdir(folder);
    await symlink(join(victim, 'data'), join(folder, 'data'));
    const destination = folderDestination(folder);
    for (const failing of [
      destination.write(README, [Uint8Array.of(2)]),
      destination.remove(README),
      destination.digest(README),
    ])
      await expect(failing).rejects.toMatchObject({ code: 'unexpected-file' });
    expect(await folderDestination(victim).digest(README)).toMatchObject({ sizeBytes: 1 });
  });
});
