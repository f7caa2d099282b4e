import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { syncFolder, writeDurably } from './new-file.ts';

/** A file of a new folder. */
export interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const OWNER_ONLY = 0o600;

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
    for (const { name, bytes } of files)
      await writeDurably(await open(join(path, name), 'wx', OWNER_ONLY), bytes);
    for (const folder of [path, dirname(resolve(path))]) await syncFolder(folder);
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error;
  }
}
