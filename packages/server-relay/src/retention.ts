import type { OrgId } from '@keytide/crypto-core';
import type { Policy } from '@keytide/key-directory/verify';
import type { Filing, LogDay } from './entry-store.ts';

const DAY_MS = 86_400_000;

/** Y, as a policy says it, and whether what nobody has exported may go then. */
export type Retention = Pick<Policy, 'exportSeconds' | 'exportWaived'>;

/** How long an organisation's ciphertext is kept; `null` for an organisation that is not here. */
export type RetentionOf = (org: OrgId) => Promise<Retention | null>;

/** Days since 1970, UTC. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/** The newest day all of which is older than Y; it and those before it are to be forgotten. */
export function lastDayOver({ exportSeconds }: Retention, nowMs: number): number {
  return dayOf(nowMs - exportSeconds * 1000) - 1;
}

/** The same, but for what must not go before it is exported: from the first day on that has any of it. */
export function lastDayReleased(retention: Retention, nowMs: number, days: readonly LogDay[]): number {
  const over = lastDayOver(retention, nowMs);
  if (retention.exportWaived === true) return over;
  const held = days.filter(({ lastSeq, exportedThrough }) => lastSeq > exportedThrough).map(({ day }) => day);
  return Math.min(over, ...held.map((day) => day - 1));
}

/** When a day of logs is due to be forgotten. */
export function dueMs({ exportSeconds }: Retention, day: number): number {
  return (day + 1) * DAY_MS + exportSeconds * 1000;
}

/** How long before something is due admins are warned: a week, or a quarter of Y where that is less. */
export function warningMs({ exportSeconds }: Retention): number {
  return Math.min(7 * DAY_MS, (exportSeconds * 1000) / 4);
}

/** Where what comes in now is filed. */
export function filingAt(retention: Retention, nowMs: number): Filing {
  return {
    day: dayOf(nowMs),
    retentionClass: retentionClassOf(retention),
    sinceDay: Math.max(0, lastDayOver(retention, nowMs) + 1),
  };
}

/** 1 for a Y of up to a day, and one more each time that it doubles: there are at most 17. */
function retentionClassOf({ exportSeconds }: Retention): number {
  return 1 + Math.ceil(Math.log2(Math.max(1, (exportSeconds * 1000) / DAY_MS)));
}
