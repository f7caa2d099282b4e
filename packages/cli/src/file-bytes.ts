import { readFile, stat } from 'node:fs/promises';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

const MEBIBYTE = 1024 * 1024;

/** Reads a whole file of at most `maxBytes`. @throws CliError `file-unreadable` */
export async function readFileBytes(path: string, maxBytes: number): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).size > maxBytes) throw tooLarge(path, maxBytes);
    bytes = new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const next = 'Check the path and whether you may read it.';
    throw new CliError('file-unreadable', EXIT.usage, `${path} cannot be read (${code})`, next);
  }
  // A pipe has no size beforehand.
  if (bytes.length > maxBytes) throw tooLarge(path, maxBytes);
  return bytes;
}

function tooLarge(path: string, maxBytes: number): CliError {
  const message = `${path} is larger than ${maxBytes / MEBIBYTE} MiB`;
  return new CliError('file-unreadable', EXIT.usage, message, 'Split it into smaller files.');
}
