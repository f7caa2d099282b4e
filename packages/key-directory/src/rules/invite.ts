import type { Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { inviteIdOf, type InviteId } from '../invite-id.ts';
import type { DirectoryFacts, Invite } from '../state.ts';
import type { Change } from './change.ts';
import { requireFreshKey } from './new-device.ts';
import { requireAdmin, type Author, type EntryOf } from './standing.ts';

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
  const { publicKey, role, expiresMs } = entry.body;
  requireAdmin(author);
  primitives.verifier(publicKey);
  if (expiresMs < entry.timeMs) throw new DirectoryError('invite-expired', 'expires before it is issued');
  requireFreshKey(primitives, facts, publicKey);
  const id = inviteIdOf(primitives, publicKey);
  const issued = { issuedBy: author.device.id, issuedAt: entry.index };
  return { invites: [{ id, publicKey, role, expiresMs, ...issued, usedAt: null, revokedAt: null }] };
}

/** `revoke-invite`: an admin takes back an invite nobody has used. @throws DirectoryError `not-permitted` and as `requireUnspent` */
export function revokeInviteRule(
  facts: DirectoryFacts,
  entry: EntryOf<'revoke-invite'>,
  author: Author,
): Change {
  requireAdmin(author);
  return { invites: [{ ...requireUnspent(facts, entry.body.invite), revokedAt: entry.index }] };
}

/** The invite, neither used nor taken back. @throws DirectoryError `invite-unknown`, `invite-used`, `invite-revoked` */
export function requireUnspent(facts: DirectoryFacts, id: InviteId): Invite {
  const invite = facts.invites.get(id);
  if (invite === undefined) throw new DirectoryError('invite-unknown', 'no such invite');
  if (invite.usedAt !== null) throw new DirectoryError('invite-used', 'this invite has been used');
  if (invite.revokedAt !== null) throw new DirectoryError('invite-revoked', 'this invite was taken back');
  return invite;
}
