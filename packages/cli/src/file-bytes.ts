import { open } from 'node:fs/promises';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

const KIBIBYTE = 1024;
const READ_BYTES = 64 * KIBIBYTE;

/**
 * Reads a whole file, or what comes out of a pipe or device, of at most `maxBytes`: of more, no more than that is read.
 * @throws CliError `file-unreadable`
 */
export async function readFileBytes(
  path: string,
  maxBytes: number,
  next = 'Check that it is the right file.',
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  try {
    const file = await open(path);
    try {
      for (let left = maxBytes + 1; left > 0;) {
        const piece = new Uint8Array(Math.min(left, READ_BYTES));
        const { bytesRead } = await file.read(piece);
        if (bytesRead === 0) return new Uint8Array(Buffer.concat(pieces));
        pieces.push(piece.subarray(0, bytesRead));
        left -= bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const check = 'Check the path and whether you may read it.';
    throw new CliError('file-unreadable', EXIT.usage, `${path} cannot be read (${code})`, check);
  }
  const most = maxBytes < KIBIBYTE ? `${maxBytes} bytes` : `${maxBytes / KIBIBYTE} KiB`;
  throw new CliError('file-unreadable', EXIT.usage, `${path} is larger than ${most}`, next);
}

/** The lines of a small text such as keys, `#` begins a remark; without remarks, spaces around, and empty ones. @throws CliError `file-unreadable` */
export async function readFileLines(path: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readFileBytes(path, MAX_LINES_BYTES));
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/** A hybrid recipient has about 2,000 characters. */
const MAX_LINES_BYTES = 256 * KIBIBYTE;
