import type { Entry } from './entry.ts';
import { DirectoryError } from './errors.ts';
import { isNormalisedHandle } from './handle.ts';
import type { DirectoryFacts } from './state.ts';

/** How far ahead of the appender's clock an entry may be dated. */
export const MAX_AHEAD_MS: number = 60 * 60 * 1000;

/**
 * What is asked of an entry before it is appended, and never again: it depends on a clock and on Unicode
 * tables, so two honest replays could disagree about it. The relay asks it of every entry, the builders of
 * their own; an entry in the log that fails it is harmless.
 *
 * Without the bound on time, one member could date an entry far ahead and so expire every open invite.
 * @param facts the log that the entry is to continue; `null` before the genesis
 * @param nowMs the asker's clock, milliseconds since 1970
 * @throws DirectoryError `time-ahead`, `bad-handle`
 */
export function assertAdmissible(facts: DirectoryFacts | null, entry: Entry, nowMs: number): void {
  // Where the log itself is ahead of the clock, the next entry has to be as well.
  const latestMs = Math.max(nowMs + MAX_AHEAD_MS, facts?.timeMs ?? 0);
  if (entry.timeMs > latestMs)
    throw new DirectoryError('time-ahead', 'dated in the future', { evidence: [entry.wire] });
  if ('handle' in entry.body && !isNormalisedHandle(entry.body.handle))
    throw new DirectoryError('bad-handle', 'a handle is in normalisation form C', { evidence: [entry.wire] });
}
