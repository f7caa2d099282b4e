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
  read(): Promise<Doubt>;
  /** Takes the place of one of `beforeMs`, and of a shorter one: of several nodes the one counts that doubts longest. */
  write(doubt: Doubt, beforeMs: number): Promise<void>;
}

/** How far a clock is watched. */
export interface Doubt {
  /** Milliseconds; 0 for a clock that nobody doubts. */
  readonly leftMs: number;
  /** The day that the clock had when it was last watched; `null` where it never was. */
  readonly seenDay: number | null;
}

const HOUR_MS = 3_600_000;
/** How long a clock that may be ahead is watched before anything is forgotten by it. */
const WATCH_MS = 24 * HOUR_MS;
/** When nobody wrote for longer, the clock may be ahead. */
const QUIET_DAYS = 7;

/**
 * Answers whether anything may be forgotten for good by this clock. Not for a day after it was found to be more than
 * an hour ahead of the time that went by, or, at first, a week ahead of what was filed last: whoever runs the relay is
 * told meanwhile, and has that day to set it right. A restart neither ends that day nor begins it anew: it goes on where
 * it was, for a clock that is doubted cannot say how long the relay was away; unless the clock is a week ahead of what it
 * was watched at.
 */
export function watchClock({ clock, upMs, newestDay, doubt }: ClockWatchOptions): () => Promise<boolean> {
  let last: Moment | null = null;
  let stored: Doubt | null = null;
  let looking: Promise<unknown> = Promise.resolve();

  async function isAhead(now: Moment, seenDay: number | null): Promise<boolean> {
    if (last !== null) return now.wallMs - last.wallMs > now.upMs - last.upMs + HOUR_MS;
    const newest = await newestDay();
    return newest !== null && dayOf(now.wallMs) - Math.max(newest, seenDay ?? newest) > QUIET_DAYS;
  }

  async function look(): Promise<boolean> {
    const before = (stored ??= await doubt.read());
    const now = { wallMs: clock.now(), upMs: upMs() };
    const passedMs = last === null ? 0 : now.upMs - last.upMs;
    const isLong = await isAhead(now, before.seenDay);
    const next = {
      leftMs: isLong ? WATCH_MS : Math.max(0, before.leftMs - passedMs),
      seenDay: dayOf(now.wallMs),
    };
    // A clock that was set back may come to be ahead again of what it is now.
    if (next.leftMs !== before.leftMs || next.seenDay < (before.seenDay ?? 0)) {
      await doubt.write(next, before.leftMs);
      // Only now: what could not be written is found again.
      stored = next;
    }
    last = now;
    return next.leftMs === 0;
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
