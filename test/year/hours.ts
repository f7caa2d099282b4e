import type { Clock } from '@keytide/client';

interface Timer {
  readonly atMs: number;
  fire(): void;
}

/** The time of everybody, which passes only when the simulation says so. */
export class Hours {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now = (): number => this.#nowMs;

  /** A clock that is wrong by so much. What waits for it is due by everybody's time. */
  clock(aheadMs: () => number): Clock {
    return { now: () => this.#nowMs + aheadMs(), wait: (ms, signal) => this.#wait(ms, signal) };
  }

  /** Everybody sleeps for so long; what is due by then happens once. */
  leap(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers]) if (timer.atMs <= this.#nowMs) timer.fire();
  }

  /** Goes on to what is due next, unless that is later than `untilMs`. */
  next(untilMs: number): void {
    let nextMs = Infinity;
    for (const { atMs } of this.#timers) nextMs = Math.min(nextMs, atMs);
    if (nextMs <= untilMs) this.leap(Math.max(0, nextMs - this.#nowMs));
  }

  #wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const timer = {
        atMs: Math.ceil(this.#nowMs + ms),
        fire: () => {
          this.#timers.delete(timer);
          signal?.removeEventListener('abort', timer.fire);
          resolve();
        },
      };
      this.#timers.add(timer);
      signal?.addEventListener('abort', timer.fire, { once: true });
    });
  }
}
