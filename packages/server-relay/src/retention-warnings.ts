import type { OrgId } from '@keytide/crypto-core';
import type { DirectoryState, Policy } from '@keytide/key-directory/verify';
import type { Clock } from './clock.ts';
import type { EntryStore } from './entry-store.ts';
import { lastDayOver, warningMs } from './retention.ts';
import type { Sockets } from './sockets.ts';
import { exporterDevices } from './standing.ts';

/** What `createRetentionWarnings` works with. */
export interface RetentionWarningsOptions {
  readonly store: Pick<EntryStore, 'listLogOrgs' | 'listLogDays'>;
  readonly clock: Clock;
  readonly retentionOf: (org: OrgId) => Promise<Policy | null>;
  readonly stateOf: (org: OrgId) => Promise<DirectoryState | null>;
  readonly hint: Sockets['hint'];
}

/** Tells who may export, ahead, that days of logs will be forgotten (docs/spec/release.md). */
export interface RetentionWarnings {
  /**
   * Looks once; each day that is not exported is told of once by this process.
   * @throws RelayError `database-failed`, after all organisations were looked at
   */
  round(isStopped: () => boolean): Promise<void>;
}

/** Nothing has been told of yet. */
export function createRetentionWarnings(options: RetentionWarningsOptions): RetentionWarnings {
  const { store, clock, retentionOf, stateOf, hint } = options;
  /** The newest day that was told of. */
  const told = new Map<OrgId, number>();

  async function warn(org: OrgId): Promise<void> {
    const policy = await retentionOf(org);
    if (policy === null) return;
    const through = lastDayOver(policy, clock.now() + warningMs(policy));
    const days = await store.listLogDays(org, through);
    const newest = days.reduce(
      (most, { day, lastSeq, exportedThrough }) => (lastSeq > exportedThrough ? Math.max(most, day) : most),
      -1,
    );
    if (newest <= (told.get(org) ?? -1)) return;
    const state = await stateOf(org);
    if (state === null) return;
    told.set(org, newest);
    hint(org, exporterDevices(state), 'retention');
  }

  return {
    async round(isStopped) {
      const orgs = await store.listLogOrgs();
      const failures: unknown[] = [];
      for (const org of orgs) {
        if (isStopped()) return;
        await warn(org).catch((error: unknown) => failures.push(error));
      }
      // Those that have nothing any more.
      const there = new Set(orgs);
      for (const org of told.keys()) if (!there.has(org)) told.delete(org);
      if (failures.length > 0) throw failures[0];
    },
  };
}
