import { verifyBytes, type Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { inviteIdOf, type InviteId } from '../invite-id.ts';
import { isIssuerStillEntitled, type Device, type DirectoryFacts, type Invite } from '../state.ts';
import type { Change } from './change.ts';
import { requireFreshKey } from './new-device.ts';
import { requireAdmin, requireAdminOrSelf, requirePresent, type Author, type EntryOf } from './standing.ts';

/**
 * `invite`: an admin offers a role to whoever holds a one-time key. No role stands above admin, so no
 * invite gives more than its issuer has.
 * @throws DirectoryError `not-permitted`, `invite-expired`, `id-reused`; CryptoError `bad-key`
 */
export function inviteRule(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'invite'>,
  author: Author,
): Change {
  requireAdmin(author);
  return issue(primitives, facts, entry, { in: 'member', role: entry.body.role });
}

/**
 * `invite-device`: a member lets in another device of theirs, or an admin one of any present member.
 * @throws DirectoryError `not-permitted`, `unknown-member`, `invite-expired`, `id-reused`; CryptoError `bad-key`
 */
export function inviteDeviceRule(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'invite-device'>,
  author: Author,
): Change {
  const { member } = entry.body;
  requireAdminOrSelf(author, member);
  requirePresent(facts, member);
  return issue(primitives, facts, entry, { in: 'device', member });
}

function issue(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'invite' | 'invite-device'>,
  lets: Invite['lets'],
): Change {
  const { publicKey, expiresMs } = entry.body;
  primitives.verifier(publicKey);
  if (expiresMs < entry.timeMs) throw new DirectoryError('invite-expired', 'expires before it is issued');
  requireFreshKey(primitives, facts, publicKey);
  const id = inviteIdOf(primitives, publicKey);
  const issued = { issuedBy: entry.author, issuedAt: entry.index };
  return { invites: [{ id, publicKey, lets, expiresMs, ...issued, usedAt: null, revokedAt: null }] };
}

/**
 * `revoke-invite`: an admin, or whoever issued it, takes back an invite nobody has used.
 * @throws DirectoryError `not-permitted` and as `requireUnspent`
 */
export function revokeInviteRule(
  facts: DirectoryFacts,
  entry: EntryOf<'revoke-invite'>,
  author: Author,
): Change {
  const invite = requireUnspent(facts, entry.body.invite);
  requireAdminOrSelf(author, (facts.devices.get(invite.issuedBy) as Device).member);
  return { invites: [{ ...invite, revokedAt: entry.index }] };
}

/** The invite, neither used nor taken back. @throws DirectoryError `invite-unknown`, `invite-used`, `invite-revoked` */
export function requireUnspent(facts: DirectoryFacts, id: InviteId): Invite {
  const invite = facts.invites.get(id);
  if (invite === undefined) throw new DirectoryError('invite-unknown', 'no such invite');
  if (invite.usedAt !== null) throw new DirectoryError('invite-used', 'this invite has been used');
  if (invite.revokedAt !== null) throw new DirectoryError('invite-revoked', 'this invite was taken back');
  return invite;
}

/**
 * Checks that an invite lets in what comes with it: its key has signed `claim`, its issuer still holds the right,
 * and it has not expired.
 * @throws DirectoryError `invite-revoked`, `invite-expired`; CryptoError `bad-signature`
 */
export function requireInvited(
  primitives: Primitives,
  facts: DirectoryFacts,
  invite: Invite,
  entry: EntryOf<'join' | 'add-device'>,
  claim: Uint8Array,
): void {
  const verifier = primitives.verifier(invite.publicKey);
  verifyBytes(primitives, verifier, 'inviteSignature', claim, entry.body.inviteSignature);
  if (!isIssuerStillEntitled(facts, invite))
    throw new DirectoryError('invite-revoked', 'its issuer has lost the right to invite');
  if (entry.timeMs > invite.expiresMs) throw new DirectoryError('invite-expired', 'this invite has expired');
}
