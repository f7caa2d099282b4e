import { setImmediate } from 'node:timers/promises';

/** Time that passes only when a test says so, with the timers that are due on the way. */
export interface VirtualTime {
  now(): number;
  /** Resolves after `ms`, or when `signal` is aborted. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** Lets time pass, and everything happen that it brings. */
  pass(ms: number): Promise<void>;
  /** How many timers were started so far. */
  readonly started: number;
}

interface Timer {
  readonly atMs: number;
  fire(): void;
}

/** Time that stands at `startMs`. */
export function virtualTime(startMs: number): VirtualTime {
  let nowMs = startMs;
  let started = 0;
  const timers = new Set<Timer>();
  const nextBefore = (endMs: number): Timer | undefined =>
    [...timers].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
  return {
    now: () => nowMs,
    get started() {
      return started;
    },
    wait(ms, signal) {
      started += 1;
      return new Promise((resolve) => {
        const timer = {
          atMs: nowMs + ms,
          fire() {
            timers.delete(timer);
            resolve();
          },
        };
        if (signal?.aborted === true) return resolve();
        timers.add(timer);
        signal?.addEventListener('abort', timer.fire, { once: true });
      });
    },
    async pass(ms) {
      const endMs = nowMs + ms;
      await setImmediate();
      for (let next = nextBefore(endMs); next !== undefined; next = nextBefore(endMs)) {
        nowMs = Math.max(nowMs, next.atMs);
        next.fire();
        await setImmediate();
      }
      nowMs = endMs;
    },
  };
}
