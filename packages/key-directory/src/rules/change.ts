import type { GroupId } from '@keytide/crypto-core';
import type { Policy } from '../policy.ts';
import type { Device, DirectoryFacts, Invite, Member } from '../state.ts';
import { isActingAdmin } from '../state.ts';

/** What an accepted entry writes: whole records, new or in place of those with the same id. */
export interface Change {
  readonly policy?: Policy;
  readonly members?: readonly Member[];
  readonly devices?: readonly Device[];
  readonly invites?: readonly Invite[];
  /** The access request (hash, hexadecimal) that now has its grant. */
  readonly granted?: string;
  /** What the relay says it has deleted. */
  readonly deleted?: { readonly group: GroupId; readonly upTo: number };
}

/** How many members could sign as admin once the change is made. */
export function actingAdminsAfter(facts: DirectoryFacts | null, change: Change): number {
  let count = facts?.actingAdmins ?? 0;
  for (const after of change.members ?? []) {
    const before = facts?.members.get(after.id);
    if (before !== undefined && isActingAdmin(before)) count -= 1;
    if (isActingAdmin(after)) count += 1;
  }
  return count;
}
