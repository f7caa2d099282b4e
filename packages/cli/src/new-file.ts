import { writeFile } from 'node:fs/promises';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** Writes a file that is not there yet, with these rights at most. @throws CliError `file-exists` */
export async function writeNewFile(path: string, bytes: Uint8Array, mode: number = 0o666): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: 'wx', mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CliError('file-exists', EXIT.usage, `${path} exists already`, 'Give another name.');
  }
}
