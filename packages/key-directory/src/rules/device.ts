import type { Primitives } from '@keytide/crypto-core';
import { deviceClaim } from '../claims.ts';
import { DirectoryError } from '../errors.ts';
import type { DirectoryFacts } from '../state.ts';
import type { Change } from './change.ts';
import { requireInvited, requireUnspent } from './invite.ts';
import { requireFreshKey, type NewDevice } from './new-device.ts';
import { requireAdminOrSelf, requirePresent, type Author, type EntryOf } from './standing.ts';

/**
 * How many active devices a member may have. Every epoch seals to each of them, so without a limit one
 * member could slow down everybody.
 */
export const MAX_ACTIVE_DEVICES: number = 32;

/**
 * `add-device`: whoever holds the key of a device's invite brings another device of that member in, once.
 * @throws DirectoryError `invite-unknown`, `invite-used`, `invite-revoked`, `invite-expired`, `not-permitted` (an
 * invite for a new member), `unknown-member`, `too-many-devices`, `id-reused`; CryptoError `bad-signature`
 */
export function addDeviceRule(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'add-device'>,
  newDevice: NewDevice,
): Change {
  const { body } = entry;
  const invite = requireUnspent(facts, body.invite);
  const { lets } = invite;
  if (lets.in !== 'device') throw new DirectoryError('not-permitted', 'this invite lets in a new member');
  const place = { org: facts.org, previousHash: facts.headHash };
  requireInvited(primitives, facts, invite, entry, deviceClaim({ ...body, ...place, member: lets.member }));
  const member = requirePresent(facts, lets.member);
  if (member.activeDevices.length >= MAX_ACTIVE_DEVICES)
    throw new DirectoryError('too-many-devices', `a member has at most ${MAX_ACTIVE_DEVICES} devices`);
  requireFreshKey(primitives, facts, newDevice.verifier.publicKey);

  const { device } = newDevice;
  return {
    members: [{ ...member, activeDevices: [...member.activeDevices, device.id] }],
    devices: [{ ...device, member: member.id, addedAt: entry.index }],
    invites: [{ ...invite, usedAt: entry.index }],
  };
}

/**
 * `revoke-device`: by a device of the same member, itself included, or by an admin.
 * @throws DirectoryError `unknown-device`, `not-permitted`
 */
export function revokeDeviceRule(
  facts: DirectoryFacts,
  entry: EntryOf<'revoke-device'>,
  author: Author,
): Change {
  const device = facts.devices.get(entry.body.device);
  if (device === undefined || device.revokedAt !== null)
    throw new DirectoryError('unknown-device', 'not an active device');
  requireAdminOrSelf(author, device.member);
  const member = requirePresent(facts, device.member);
  return {
    members: [{ ...member, activeDevices: member.activeDevices.filter((id) => id !== device.id) }],
    devices: [{ ...device, revokedAt: entry.index }],
  };
}
