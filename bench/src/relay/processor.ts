import { readdirSync, readFileSync } from 'node:fs';

/** Of Linux; the same on every machine that has it. */
const TICKS_PER_SECOND = 100;

/** A way to ask how much processor time a process and all that it started have used so far, in ms. */
export function processorTimeOf(root: number): () => number {
  return () => {
    const parents = new Map<number, number>();
    const ticks = new Map<number, number>();
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const fields = statOf(Number(name));
      if (fields === null) continue;
      parents.set(Number(name), fields[1] as number);
      // Its own, and that of its children that are gone.
      ticks.set(
        Number(name),
        (fields.slice(11, 15) as number[]).reduce((sum, value) => sum + value),
      );
    }
    let sum = 0;
    for (const [pid, used] of ticks) if (descends(pid, root, parents)) sum += used;
    return (sum * 1000) / TICKS_PER_SECOND;
  };
}

/** The processes of this name that this process has started. */
export function childrenNamed(name: string): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      const fields = statOf(pid);
      return fields?.[1] === process.pid && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name;
    });
}

/** What a process holds of memory, in bytes. */
export function residentBytesOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** The numbers behind the name: state (not a number), parent, …; `null` when it is gone. */
function statOf(pid: number): readonly number[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
  } catch {
    return null;
  }
}

function descends(pid: number, root: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = parents.get(at))
    if (at === root) return true;
  return false;
}
