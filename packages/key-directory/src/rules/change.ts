import { sorted, type GroupId, type MemberId } from '@keytide/crypto-core';
import type { Policy } from '../policy.ts';
import type { Device, DirectoryFacts, Invite, Member, PublishedPeriod } from '../state.ts';
import { isActingAdmin } from '../state.ts';

/** What an accepted entry writes: whole records, new or in place of those with the same id. */
export interface Change {
  readonly policy?: Policy;
  /** When they were written is noted as the entry is accepted. */
  readonly members?: readonly Omit<Member, 'since'>[];
  readonly devices?: readonly Device[];
  readonly invites?: readonly Invite[];
  /** The access request (hash, hexadecimal) that now has its grant. */
  readonly granted?: string;
  /** What the relay says it has deleted. */
  readonly deleted?: { readonly group: GroupId; readonly upTo: number };
  /** What is published of a dataset. */
  readonly aggregates?: PublishedPeriod;
}

/** Who could sign as admin once the change is made, in byte order: the same list where nothing changes about it. */
export function actingAdminsAfter(facts: DirectoryFacts | null, change: Change): readonly MemberId[] {
  let admins = facts?.actingAdmins ?? [];
  for (const after of change.members ?? []) {
    const before = facts?.members.get(after.id);
    const wasActing = before !== undefined && isActingAdmin(before);
    if (isActingAdmin(after) === wasActing) continue;
    const others = admins.filter((id) => id !== after.id);
    admins = wasActing ? others : sorted([...others, after.id]);
  }
  return admins;
}

/** How many devices are active once the change is made. */
export function activeDevicesAfter(facts: DirectoryFacts | null, change: Change): number {
  let count = facts?.activeDevices ?? 0;
  for (const after of change.devices ?? []) {
    if (facts?.devices.get(after.id)?.revokedAt === null) count -= 1;
    if (after.revokedAt === null) count += 1;
  }
  return count;
}
