import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';

/** As far into a file as these may write from now on, as if the disk were full there: for processes of ours on Linux. */
export async function fillDisk(processes: readonly number[], atBytes: number): Promise<void> {
  await limit(processes, String(atBytes));
}

/** There is room again. A process that is gone needs none. */
export async function makeRoom(processes: readonly number[]): Promise<void> {
  await limit(processes, 'unlimited');
}

/** The soft limit alone, so that it can be raised again; by the user whose process it is, so that nobody has to be root. */
async function limit(processes: readonly number[], most: string): Promise<void> {
  for (const pid of processes) {
    const owner = await stat(`/proc/${pid}`).catch(() => null);
    if (owner === null) continue;
    const { uid, gid } = owner;
    const as = uid === process.getuid?.() ? {} : { uid, gid };
    await promisify(execFile)('prlimit', [`--pid=${pid}`, `--fsize=${most}:`], as);
  }
}
