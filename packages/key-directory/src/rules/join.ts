import type { Primitives } from '@keytide/crypto-core';
import { joinClaim } from '../claims.ts';
import { DirectoryError } from '../errors.ts';
import { assertHandle } from '../handle.ts';
import type { DirectoryFacts, Member } from '../state.ts';
import type { Change } from './change.ts';
import { requireInvited, requireUnspent } from './invite.ts';
import { newcomer, requireFreshKey, type NewDevice } from './new-device.ts';
import type { EntryOf } from './standing.ts';

/**
 * `join`: whoever holds an invite's key brings their own device in, once, with the role the invite names.
 * @throws DirectoryError `invite-unknown`, `invite-used`, `invite-revoked`, `invite-expired`, `already-member`,
 * `id-reused`, `bad-handle`, `not-permitted` (an invite for a device); CryptoError `bad-signature`
 */
export function joinRule(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'join'>,
  newDevice: NewDevice,
): Change {
  const { body } = entry;
  const invite = requireUnspent(facts, body.invite);
  const { lets } = invite;
  if (lets.in !== 'member')
    throw new DirectoryError('not-permitted', 'this invite lets in a device of a member');
  const claim = joinClaim({ ...body, org: facts.org, previousHash: facts.headHash });
  requireInvited(primitives, facts, invite, entry, claim);
  requireNewMember(facts.members.get(body.member));
  requireFreshKey(primitives, facts, newDevice.verifier.publicKey);
  assertHandle(body.handle);

  return {
    ...newcomer(entry, newDevice, lets.role),
    invites: [{ ...invite, usedAt: entry.index }],
  };
}

/** @throws DirectoryError `already-member`, `id-reused` */
export function requireNewMember(existing: Member | undefined): void {
  if (existing === undefined) return;
  if (existing.removedAt === null) throw new DirectoryError('already-member', 'already a member');
  throw new DirectoryError('id-reused', 'the id of a removed member');
}
