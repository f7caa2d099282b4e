/** When archives are made: once in each period, which begin at this offset since 1970, UTC. */
export interface Schedule {
  readonly everyMs: number;
  /** Below `everyMs`. */
  readonly offsetMs: number;
}

/** What is remembered of the schedule, also over a reboot. */
export interface Timetable {
  /** The beginning of the newest period of which there is an archive; `null` before the first. */
  readonly doneMs: number | null;
  /** Failures since the last success. */
  readonly failures: number;
  /** When it is tried again after a failure; `null` when that is left to the next period. */
  readonly retryAtMs: number | null;
}

/** What there is to do at a time. */
export type Decision =
  | {
      readonly kind: 'run';
      /** Whether a new archive is due, and not only what was left. */
      readonly isDue: boolean;
    }
  /** Nothing, for so long at least. */
  | { readonly kind: 'wait'; readonly ms: number };

/** Before the first archive. */
export const NEW_TIMETABLE: Timetable = { doneMs: null, failures: 0, retryAtMs: null };
/** No retry waits longer. */
export const MAX_BACKOFF_MS = 3_600_000;
const FIRST_BACKOFF_MS = 30_000;
const MAX_DOUBLINGS = 7;

/** When the period that a time is in began. */
export function periodAt({ everyMs, offsetMs }: Schedule, timeMs: number): number {
  return Math.floor((timeMs - offsetMs) / everyMs) * everyMs + offsetMs;
}

/**
 * What there is to do. A period that was missed, however long ago, is caught up with by one archive: each has everything
 * since the one before. `hasWork`: whether something was begun that is not over. What was remembered by a clock that
 * was ahead does not hold anything up: no wait is longer than a period, or the longest backoff.
 */
export function decide(
  schedule: Schedule,
  { doneMs, retryAtMs, failures }: Timetable,
  { nowMs, hasWork }: { readonly nowMs: number; readonly hasWork: boolean },
): Decision {
  const periodMs = periodAt(schedule, nowMs);
  const isDue = doneMs === null || doneMs < periodMs;
  if (retryAtMs !== null && retryAtMs > nowMs) return { kind: 'wait', ms: retryAtMs - nowMs };
  if (isDue || retryAtMs !== null || (hasWork && failures === 0)) return { kind: 'run', isDue };
  return { kind: 'wait', ms: periodMs + schedule.everyMs - nowMs };
}

/** As it is by a clock that may have been set back. */
export function byClock(schedule: Schedule, table: Timetable, nowMs: number): Timetable {
  const { doneMs, retryAtMs } = table;
  return {
    ...table,
    doneMs: doneMs === null ? null : Math.min(doneMs, periodAt(schedule, nowMs)),
    retryAtMs: retryAtMs === null ? null : Math.min(retryAtMs, nowMs + MAX_BACKOFF_MS),
  };
}

/** There is an archive of the period of this time. */
export function archived(schedule: Schedule, table: Timetable, beganMs: number): Timetable {
  return { ...table, doneMs: periodAt(schedule, beganMs) };
}

/** Nothing is left to do. */
export function succeeded(table: Timetable): Timetable {
  return { ...table, failures: 0, retryAtMs: null };
}

/** To be tried again, later each time; `random` from 0 to 1 keeps many agents apart. */
export function failed(table: Timetable, nowMs: number, random: number): Timetable {
  const mostMs = Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(table.failures, MAX_DOUBLINGS), MAX_BACKOFF_MS);
  const waitMs = Math.ceil((mostMs * (1 + random)) / 2);
  return { ...table, failures: table.failures + 1, retryAtMs: nowMs + waitMs };
}

/** To be done anew in the next period: trying again would only repeat it. */
export function putOff(table: Timetable): Timetable {
  return { ...table, failures: table.failures + 1, retryAtMs: null };
}
