import { setTimeout as sleep } from 'node:timers/promises';

const COLLECTIONS = 5;

/** What this thread holds once everything that nobody needs is gone. Takes `--expose-gc`. */
export async function heldBytes(): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < COLLECTIONS; round += 1) {
    (globalThis as unknown as { gc(): void }).gc();
    // Memory outside of the heap is given back by another thread, a moment later.
    await sleep(50);
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
  }
  return least;
}

/** Looks at the process's memory again and again while `work` runs: its answer, and by how much it grew at most. */
export async function peakOf<T>(work: () => Promise<T>): Promise<{ result: T; bytes: number }> {
  (globalThis as unknown as { gc(): void }).gc();
  const before = process.memoryUsage.rss();
  const result = await work();
  // In kilobytes, and of the whole life of the process.
  const most = process.resourceUsage().maxRSS * 1024;
  return { result, bytes: Math.max(0, most - before) };
}
