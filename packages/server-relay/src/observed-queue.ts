import type { AppendQueue } from './append-queue.ts';
import type { Metrics } from './metrics.ts';
import type { AppendVerdict } from './entry-store.ts';
import { traced } from './traced.ts';

/** The same queue, with its outcomes counted, its times taken and a span around each call. */
export function observedQueue(queue: AppendQueue, metrics: Metrics): AppendQueue {
  function observe(
    count: number,
    work: () => Promise<readonly AppendVerdict[]>,
  ): Promise<readonly AppendVerdict[]> {
    return traced('relay.append', { 'keytide.items': count }, async () => {
      const done = metrics.appending(count);
      try {
        const verdicts = await work();
        done(verdicts);
        return verdicts;
      } catch (error) {
        done(null);
        throw error;
      }
    });
  }
  return {
    append: (items) => observe(items.length, () => queue.append(items)),
    async announce(announcement) {
      const verdicts = await observe(1, async () => [await queue.announce(announcement)]);
      return verdicts[0] as AppendVerdict;
    },
    idle: () => queue.idle(),
  };
}
