import type { Clock } from './clock.ts';
import { dayOf } from './retention.ts';

/** What a clock is held against. */
export interface ClockWatchOptions {
  readonly clock: Clock;
  /** Milliseconds since this machine was started, also those in which it slept: nobody sets them. */
  readonly upMs: () => number;
  /** The newest day under which anything is filed; `null` for nothing. */
  readonly newestDay: () => Promise<number | null>;
}

const HOUR_MS = 3_600_000;
/** How long a clock that may be ahead is watched before anything is forgotten by it. */
const WATCH_MS = 24 * HOUR_MS;
/** When nobody wrote for longer, the clock may be ahead. */
const QUIET_DAYS = 7;

/**
 * Answers whether anything may be forgotten for good by this clock. Not for a day after it was found to be more than
 * an hour ahead of the time that went by, or, at first, a week ahead of what was filed last: whoever runs the relay is
 * told meanwhile, and has that day to set it right.
 */
export function watchClock({ clock, upMs, newestDay }: ClockWatchOptions): () => Promise<boolean> {
  let last: Moment | null = null;
  let doubtedMs = -Infinity;

  async function isAhead(now: Moment): Promise<boolean> {
    if (last !== null) return now.wallMs - last.wallMs > now.upMs - last.upMs + HOUR_MS;
    const newest = await newestDay();
    return newest !== null && dayOf(now.wallMs) - newest > QUIET_DAYS;
  }

  return async () => {
    const now = { wallMs: clock.now(), upMs: upMs() };
    if (await isAhead(now)) doubtedMs = now.upMs;
    last = now;
    return now.upMs - doubtedMs >= WATCH_MS;
  };
}

interface Moment {
  readonly wallMs: number;
  readonly upMs: number;
}
