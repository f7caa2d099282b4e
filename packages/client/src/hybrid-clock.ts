/**
 * A hybrid logical clock reading: wall time where possible, and always after everything seen
 * (Kulkarni et al., "Logical Physical Clocks", 2014). Orders edits of one record on every replica alike.
 */
export interface HybridTime {
  /** Milliseconds since 1970. */
  readonly ms: number;
  /** Tells apart readings within one millisecond. */
  readonly counter: number;
}

/** Readings outside these bounds are malformed. */
export const MAX_HYBRID_MS: number = 2 ** 48;
export const MAX_HYBRID_COUNTER: number = 2 ** 32;

/** The next reading after `last`, given the local wall clock. */
function tick(last: HybridTime, nowMs: number, endMs: number): HybridTime {
  if (nowMs > last.ms && nowMs < endMs) return { ms: nowMs, counter: 0 };
  // Whatever is clipped to the end of time keeps its order by the counter.
  if (nowMs > last.ms) return { ms: nowMs, counter: (last.counter + 1) % MAX_HYBRID_COUNTER };
  const isFull = last.counter + 1 >= MAX_HYBRID_COUNTER;
  return isFull ? { ms: last.ms + 1, counter: 0 } : { ms: last.ms, counter: last.counter + 1 };
}

/** The reading, or the last one before `endMs` when it is later: nobody may write into the far future. */
export function notAfter(time: HybridTime, endMs: number): HybridTime {
  return time.ms < endMs ? time : { ms: endMs - 1, counter: time.counter };
}

/** The later of two readings. */
function laterOf(a: HybridTime, b: HybridTime): HybridTime {
  return compareHybrid(a, b) >= 0 ? a : b;
}

/** Negative, zero or positive as `a` is before, equal to or after `b`. */
export function compareHybrid(a: HybridTime, b: HybridTime): number {
  return a.ms - b.ms || a.counter - b.counter;
}

/** This device's readings: each after all that it has given and seen. */
export class HybridClock {
  #last: HybridTime = { ms: 0, counter: 0 };

  /** The reading for what is written now. `endMs`: where time ends for it, as far as this device knows (`notAfter`). */
  next(nowMs: number, endMs: number): HybridTime {
    this.#last = tick(this.#last, nowMs, endMs);
    return this.#last;
  }

  /** Takes in a reading of another device, or of this one in an earlier life. */
  saw(time: HybridTime): void {
    this.#last = laterOf(this.#last, time);
  }
}
