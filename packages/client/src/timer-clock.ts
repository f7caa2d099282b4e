import type { Clock } from './ports.ts';

/** The longest that a timer can be set to; more would end at once. */
const MOST_MS = 2 ** 31 - 1;

/** The machine's clock, by the timers that every JavaScript runtime has. */
export const timerClock: Clock = {
  now: () => Date.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, MOST_MS));
      signal?.addEventListener('abort', done);
    }),
};
