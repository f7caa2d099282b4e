import { open, rm, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/**
 * Writes a file that is not there yet, with these rights at most: on the disk when it resolves, and otherwise not there.
 * @throws CliError `file-exists`
 */
export async function writeNewFile(path: string, bytes: Uint8Array, mode: number = 0o666): Promise<void> {
  const file = await openNew(path, mode);
  try {
    await writeDurably(file, bytes);
    await syncFolder(dirname(resolve(path)));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

async function openNew(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, 'wx', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CliError('file-exists', EXIT.usage, `${path} exists already`, 'Give another name.');
  }
}

/** Writes a file that was opened for this, flushes it and closes it. Its name is durable only once its folder is. */
export async function writeDurably(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable. Windows does so by itself, and lets nobody open a folder. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
