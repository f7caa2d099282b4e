import { writeFile } from 'node:fs/promises';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** Writes a file that is not there yet. @throws CliError `file-exists` */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CliError('file-exists', EXIT.usage, `${path} exists already`, 'Give another name.');
  }
}
