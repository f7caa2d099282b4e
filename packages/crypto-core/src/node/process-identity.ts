import { readFileSync } from 'node:fs';

/**
 * When a process started, so that a later process with its number is not taken for it. Linux gives ticks since
 * boot, and the boot's id; elsewhere, and for a process that is gone, this is an empty string.
 */
export function processStart(pid: number): string {
  const stat = readStat(pid);
  if (stat === null) return '';
  return `${readOr('/proc/sys/kernel/random/boot_id', '').trim()}:${stat.startTicks}`;
}

/** Whether the process that had this number and start is still running. A zombie is not. */
export function isRunning(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  if (readStat(pid)?.state === 'Z') return false;
  const startNow = processStart(pid);
  return start === '' || startNow === '' || start === startNow;
}

/** Fields 3 and 22 of /proc/PID/stat; the command in field 2 may hold spaces and brackets (proc(5)). */
function readStat(pid: number): { state: string; startTicks: string } | null {
  const text = readOr(`/proc/${pid}/stat`, '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  return state === undefined || startTicks === undefined ? null : { state, startTicks };
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return fallback;
  }
}
