import { readSync } from 'node:fs';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/**
 * Reads one line from a file descriptor, byte by byte, so that what follows stays there for others.
 * Ends at LF, CRLF or the end of the input. @throws CliError `no-passphrase`
 */
export function readLine(fd: number, maxBytes: number): string {
  const line = Buffer.alloc(maxBytes + 1);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let length = 0;
  for (;;) {
    let count: number;
    try {
      count = readSync(fd, line, length, 1, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') break;
      if (code !== 'EAGAIN') throw unreadable(fd, `cannot be read (${code ?? 'unknown'})`);
      Atomics.wait(pause, 0, 0, 10);
      continue;
    }
    if (count === 0 || line[length] === 0x0a) break;
    length += 1;
    if (length > maxBytes) throw unreadable(fd, `holds a line of more than ${maxBytes} bytes`);
  }
  try {
    const bytes = line.subarray(0, length);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r$/, '');
  } catch {
    throw unreadable(fd, 'does not hold UTF-8 text');
  } finally {
    line.fill(0);
  }
}

function unreadable(fd: number, problem: string): CliError {
  const next = 'Open it for reading, for example: keytide status --passphrase-fd 3 3<passphrase.txt';
  return new CliError('no-passphrase', EXIT.usage, `file descriptor ${fd} ${problem}`, next);
}
