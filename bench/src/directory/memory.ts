/** What this thread holds once everything that nobody needs is gone. Takes `--expose-gc`. */
export function heldBytes(): number {
  (globalThis as unknown as { gc(): void }).gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
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
