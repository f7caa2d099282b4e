import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** How far into a file this process may write from now on, as if the disk were full there; `null`: as it likes. Linux. */
export async function leaveRoom(atBytes: number | null): Promise<void> {
  await promisify(execFile)('prlimit', [`--pid=${process.pid}`, `--fsize=${atBytes ?? 'unlimited'}:`]);
}
