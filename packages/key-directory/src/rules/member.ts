import { DirectoryError } from '../errors.ts';
import type { Device, DirectoryFacts, Member } from '../state.ts';
import type { Change } from './change.ts';
import { requireAdmin, requirePresent, type Author, type EntryOf } from './standing.ts';

/** `remove-member`: the member and every device of theirs, for good. @throws DirectoryError `not-permitted`, `unknown-member` */
export function removeMemberRule(
  facts: DirectoryFacts,
  entry: EntryOf<'remove-member'>,
  author: Author,
): Change {
  requireAdmin(author);
  const member = requirePresent(facts, entry.body.member);
  return removal(facts, member, entry.index);
}

/** What it takes to end a member and all their devices. */
export function removal(
  facts: DirectoryFacts,
  member: Member,
  removedAt: number,
): { members: [Member]; devices: Device[] } {
  return {
    members: [{ ...member, removedAt, activeDevices: [] }],
    devices: member.activeDevices.map((id) => ({
      ...(facts.devices.get(id) as Device),
      revokedAt: removedAt,
    })),
  };
}

/** `role`: another role for a present member. @throws DirectoryError `not-permitted`, `unknown-member`, `unchanged` */
export function roleRule(facts: DirectoryFacts, entry: EntryOf<'role'>, author: Author): Change {
  requireAdmin(author);
  const member = requirePresent(facts, entry.body.member);
  // Taking it would end the invites of an admin who stays one.
  if (member.role === entry.body.role)
    throw new DirectoryError('unchanged', 'the member has this role already');
  return { members: [{ ...member, role: entry.body.role, roleSince: entry.index }] };
}
