/** A clock that moves only when a test says so. */
export interface FakeClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Moves forward, or back for tests of clocks that were put right. */
  advance(ms: number): void;
}

/** A clock that stands at `startMs`. */
export function fakeClock(startMs: number): FakeClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}
