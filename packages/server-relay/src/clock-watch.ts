import type { Clock } from './clock.ts';
import { dayOf } from './retention.ts';

/** What a clock is held against. */
export interface ClockWatchOptions {
  readonly clock: Clock;
  /** Milliseconds since this machine was started, also those in which it slept: nobody sets them. */
  readonly upMs: () => number;
  /** The newest day under which anything is filed; `null` for nothing. */
  readonly newestDay: () => Promise<number | null>;
  readonly doubt: ClockDoubt;
}

/** For how long the clock is still watched before anything is forgotten by it: what outlives the process of that. */
export interface ClockDoubt {
  /** Milliseconds; 0 for a clock that nobody doubts. */
  read(): Promise<number>;
  /** Takes the place of `beforeMs`, and of whatever is shorter: of several nodes the one counts that doubts longest. */
  write(leftMs: number, beforeMs: number): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** How long a clock that may be ahead is watched before anything is forgotten by it. */
const WATCH_MS = 24 * HOUR_MS;
/** When nobody wrote for longer, the clock may be ahead. */
const QUIET_DAYS = 7;

/**
 * Answers whether anything may be forgotten for good by this clock. Not for a day after it was found to be more than
 * an hour ahead of the time that went by, or, at first, a week ahead of what was filed last: whoever runs the relay is
 * told meanwhile, and has that day to set it right. A restart does not end that day: it goes on where it was, for a
 * clock that is doubted cannot say how long the relay was away.
 */
export function watchClock({ clock, upMs, newestDay, doubt }: ClockWatchOptions): () => Promise<boolean> {
  let last: Moment | null = null;
  let storedMs: number | null = null;
  let looking: Promise<unknown> = Promise.resolve();

  async function isAhead(now: Moment): Promise<boolean> {
    if (last !== null) return now.wallMs - last.wallMs > now.upMs - last.upMs + HOUR_MS;
    const newest = await newestDay();
    return newest !== null && dayOf(now.wallMs) - newest > QUIET_DAYS;
  }

  async function look(): Promise<boolean> {
    storedMs ??= await doubt.read();
    const now = { wallMs: clock.now(), upMs: upMs() };
    const passedMs = last === null ? 0 : now.upMs - last.upMs;
    const leftMs = (await isAhead(now)) ? WATCH_MS : Math.max(0, storedMs - passedMs);
    if (leftMs !== storedMs) await doubt.write(leftMs, storedMs);
    // Only now: what could not be written is found again.
    storedMs = leftMs;
    last = now;
    return leftMs === 0;
  }

  // One after the other: each is held against the one before.
  return () => {
    const looked = looking.then(look);
    looking = looked.catch(() => undefined);
    return looked;
  };
}

interface Moment {
  readonly wallMs: number;
  readonly upMs: number;
}
