import type { GroupId, OrgId } from '@keytide/crypto-core';
import type { Clock } from './clock.ts';
import type { DayKeys } from './day-keys.ts';
import type { EntryStore } from './entry-store.ts';
import { RelayError } from './errors.ts';
import type { GroupLogs } from './group-logs.ts';
import { dayOf, lastDayReleased, releasedUntilMs, type RetentionOf } from './retention.ts';

/** What an organisation's groups lost. */
export interface Forgotten {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** What `forgetOver` works with. */
export interface ForgetOverOptions {
  readonly store: Pick<
    EntryStore,
    'listLogOrgs' | 'firstDayHeld' | 'listLogDays' | 'listFloors' | 'forgetDays' | 'dropForgotten'
  >;
  readonly logs: Pick<GroupLogs, 'keepFloor'>;
  readonly keys: Pick<DayKeys, 'forget'>;
  readonly clock: Clock;
  readonly retentionOf: RetentionOf;
  /** Something of an organisation was left for the next time, or is damaged; the others go on. */
  readonly failed: (org: OrgId, error: unknown) => void;
  /** Asked before each day of an organisation: the rest is left for the next time. Default: never. */
  readonly isStopped?: () => boolean;
}

/**
 * Forgets every day of group logs whose Y is over, day by day: its keys first, in the database and in this process, then
 * the tables (docs/spec/relay-storage.md). What is left of a group's log begins at its floor, and what a device needs to
 * go on from there is made ready before. What each group lost, together.
 */
export async function forgetOver(options: ForgetOverOptions): Promise<readonly Forgotten[]> {
  const { store, keys, clock, failed, isStopped = () => false } = options;
  const forgotten = new Map<string, Forgotten>();
  for (const org of await store.listLogOrgs()) {
    try {
      for (const through of await daysToForget(options, org)) {
        if (isStopped()) return [...forgotten.values()];
        await makeFloors(options, org, through);
        // That takes time, in which the policy may have come to keep more.
        if (((await daysToForget(options, org)).at(-1) ?? -1) < through) break;
        for (const { group, firstSeq, lastSeq } of await store.forgetDays(org, through)) {
          const before = forgotten.get(org + group);
          forgotten.set(org + group, { org, group, firstSeq: before?.firstSeq ?? firstSeq, lastSeq });
        }
        keys.forget(org, { through });
      }
    } catch (error) {
      failed(org, error);
    }
  }
  await store.dropForgotten(dayOf(clock.now()));
  return [...forgotten.values()];
}

/** The days to forget that may be forgotten, the oldest first; the last one is there also when it holds nothing. */
async function daysToForget(
  { store, clock, retentionOf }: ForgetOverOptions,
  org: OrgId,
): Promise<readonly number[]> {
  const retention = await retentionOf(org);
  if (retention === null) return [];
  const nowMs = clock.now();
  const through = lastDayReleased(retention, nowMs, await releasedUntilMs(store, org, retention, nowMs));
  const days = await store.listLogDays(org, through);
  return [...new Set([...days.map(({ day }) => day), through])];
}

/** Makes the floors ready that the logs will have. */
async function makeFloors(
  { store, logs, failed }: ForgetOverOptions,
  org: OrgId,
  through: number,
): Promise<void> {
  for (const move of await store.listFloors(org, through)) {
    await logs.keepFloor(org, move).catch((error: unknown) => {
      // What does not open is of no use to anybody, and must not keep the rest.
      if (!(error instanceof RelayError) || error.code !== 'data-damaged') throw error;
      failed(org, error);
    });
  }
}
