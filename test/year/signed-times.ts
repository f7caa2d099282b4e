import type { DeviceId, EpochStatement, MemberId } from '@keytide/crypto-core';
import type { Rolls } from './roll.ts';

/** The newest times that admins, and that any two members, have signed. */
interface Seen {
  adminMs: number;
  readonly ofMembers: Map<MemberId, number>;
}

/**
 * What time it is at the least by what was signed (docs/spec/retention.md): in entries of the membership log and in
 * epoch statements, where they are dated later than the one before, by an admin or by two members, and then the earlier.
 */
export function signedMs(
  rolls: Rolls,
  { membershipSize, epoch }: { readonly membershipSize: number; readonly epoch: number },
  statements: readonly EpochStatement[],
): number {
  const { roles } = rolls.at(membershipSize);
  const seen: Seen = { adminMs: 0, ofMembers: new Map() };
  const take = (author: DeviceId, ms: number): void => {
    const member = rolls.owners.get(author) as MemberId;
    if (roles.get(member) === 'admin') seen.adminMs = Math.max(seen.adminMs, ms);
    seen.ofMembers.set(member, Math.max(ms, seen.ofMembers.get(member) ?? 0));
  };
  for (const [i, { author, timeMs }] of rolls.signings.slice(0, membershipSize).entries())
    if (timeMs > (rolls.signings[i - 1]?.timeMs ?? 0)) take(author, timeMs);
  for (const [i, { author, createdMs }] of statements.slice(0, epoch).entries())
    if (createdMs > (statements[i - 1]?.createdMs ?? 0)) take(author, createdMs);
  const [, second] = [...seen.ofMembers.values()].toSorted((a, b) => b - a);
  return Math.max(seen.adminMs, second ?? 0);
}
