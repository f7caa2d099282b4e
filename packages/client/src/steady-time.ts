import type { Clock } from './ports.ts';

/**
 * Time that never runs backwards while the process lives, and in which whatever was waited for has passed: so nothing lasts longer because
 * a clock was set back. In memory only; a clock that was ahead and is set right stands still here until the next start.
 */
export class SteadyTime {
  readonly #clock: Clock;
  #latestMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since 1970, UTC. */
  now(): number {
    this.#latestMs = Math.max(this.#latestMs, this.#clock.now());
    return Math.floor(this.#latestMs);
  }

  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const endMs = this.now() + ms;
    await this.#clock.wait(ms, signal);
    if (!signal.aborted) this.#latestMs = Math.max(this.#latestMs, endMs);
  }
}
