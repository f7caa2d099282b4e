import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** A file of a new folder. */
export interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Makes a folder with these files, all for their owner alone: on the disk when it resolves, and otherwise not there.
 * @throws CliError `file-exists`
 */
export async function writeNewFolder(path: string, files: readonly NewFile[]): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CliError('file-exists', EXIT.usage, `${path} exists already`, 'Give another name.');
  }
  try {
    for (const { name, bytes } of files) await writeDurably(join(path, name), bytes);
    for (const folder of [path, dirname(resolve(path))]) await syncFolder(folder);
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error;
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Names are durable only once their folder is; Windows keeps them by itself, and lets nobody open a folder. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
