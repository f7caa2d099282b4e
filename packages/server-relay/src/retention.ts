import type { OrgId } from '@keytide/crypto-core';
import type { Policy } from '@keytide/key-directory/verify';
import type { EntryStore, Filing } from './entry-store.ts';

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

/**
 * Until when what an organisation keeps is released, its logs and its attachments alike: now; but where the policy waives
 * nothing, no later than the beginning of the first day that has anything that nobody has exported.
 */
export async function releasedUntilMs(
  store: Pick<EntryStore, 'firstDayHeld'>,
  org: OrgId,
  { exportWaived }: Retention,
  nowMs: number,
): Promise<number> {
  if (exportWaived === true) return nowMs;
  const held = await store.firstDayHeld(org);
  return held === null ? nowMs : Math.min(nowMs, held * DAY_MS);
}

/** The newest day of logs that may be forgotten: all of it is older than Y, and released. */
export function lastDayReleased(retention: Retention, nowMs: number, releasedMs: number): number {
  return Math.min(lastDayOver(retention, nowMs), dayOf(releasedMs) - 1);
}

/** Attachments that were whole before may be forgotten: whatever was written in the Y after that is released. */
export function wholeBeforeMs({ exportSeconds }: Retention, releasedMs: number): number {
  return releasedMs - exportSeconds * 1000;
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
