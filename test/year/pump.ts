import { setTimeout as turn } from 'node:timers/promises';
import type { Hours } from './hours.ts';
import type { Wire } from './wire.ts';

/** Timers that are due within so much of each other are due together. */
const TOGETHER_MS = 250;
/** So many turns without traffic, and everybody waits for time to pass. */
const QUIET_TURNS = 2;
const LAST_TURNS = 12;
const LONG_QUIET_TURNS = 60;
const SHORT_MS = 20_000;
/** Counted in looks, so that how busy a machine is changes nothing: in all, and where no time passes either. */
const MOST_LOOKS = 30_000;
const MOST_IDLE_LOOKS = 20;

/** Lets real sockets and a real database do their work, and time pass where everybody waits for it. */
export class Pump {
  readonly #hours: Hours;
  readonly #wire: Wire;

  constructor(hours: Hours, wire: Wire) {
    this.#hours = hours;
    this.#wire = wire;
  }

  /** Goes on until it is so. @throws with `tell()` when it does not come */
  async until(isSo: () => boolean, tell: () => string): Promise<void> {
    const startMs = this.#hours.now();
    let idle = 0;
    for (let looks = 0; !isSo(); looks += 1) {
      if (looks > MOST_LOOKS || idle > MOST_IDLE_LOOKS)
        throw new Error(`waited in vain, with ${this.#wire.inFlight} calls under way, for ${tell()}`);
      const beforeMs = this.#hours.now();
      const isLong = beforeMs - startMs > SHORT_MS;
      if (!(await this.#isQuiet(isLong ? LONG_QUIET_TURNS : QUIET_TURNS))) continue;
      this.#hop(startMs + 20 * SHORT_MS);
      idle = this.#hours.now() === beforeMs ? idle + 1 : 0;
    }
  }

  /** Goes on until this is done. */
  async during<T>(work: Promise<T>, what: string): Promise<T> {
    let isDone = false;
    void Promise.allSettled([work]).then(() => (isDone = true));
    await this.until(
      () => isDone,
      () => what,
    );
    return await work;
  }

  /** Lets so much time pass, and everything happen that it brings. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#hours.now() + ms;
    while (this.#hours.now() < endMs) {
      if (!(await this.#isQuiet(QUIET_TURNS))) continue;
      const beforeMs = this.#hours.now();
      this.#hop(endMs);
      if (this.#hours.now() === beforeMs) this.#hours.leap(endMs - beforeMs);
    }
    while (!(await this.#isQuiet(LAST_TURNS)));
  }

  #hop(untilMs: number): void {
    const beforeMs = this.#hours.now();
    this.#hours.next(untilMs);
    const nowMs = this.#hours.now();
    if (nowMs > beforeMs) this.#hours.leap(Math.min(TOGETHER_MS, Math.max(0, untilMs - nowMs)));
  }

  /** Whether nothing passes for so many turns. */
  async #isQuiet(turns: number): Promise<boolean> {
    const { count } = this.#wire;
    for (let i = 0; i < turns; i += 1) {
      await turn(1);
      if (this.#wire.inFlight > 0 || this.#wire.count !== count) return false;
    }
    return true;
  }
}
