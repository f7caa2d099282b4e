import { verifyBytes, type Primitives } from '@keytide/crypto-core';
import { possessionClaim } from '../claims.ts';
import { DirectoryError } from '../errors.ts';
import type { DirectoryFacts } from '../state.ts';
import type { Change } from './change.ts';
import { readNewDevice, requireFreshKey } from './new-device.ts';
import { requireAdminOrSelf, requirePresent, type Author, type EntryOf } from './standing.ts';

/**
 * How many active devices a member may have. Every epoch seals to each of them, so without a limit one
 * member could slow down everybody.
 */
export const MAX_ACTIVE_DEVICES: number = 32;

/**
 * `add-device`: another device for a present member, by a device of theirs or by an admin; the new device
 * shows that it has its key and agrees.
 * @throws DirectoryError `not-permitted`, `unknown-member`, `too-many-devices`, `id-reused`,
 * `bad-sealing-record`; CryptoError `bad-signature`, `bad-key`, `malformed`
 */
export function addDeviceRule(
  primitives: Primitives,
  facts: DirectoryFacts,
  entry: EntryOf<'add-device'>,
  author: Author,
): Change {
  const { body } = entry;
  requireAdminOrSelf(author, body.member);
  const member = requirePresent(facts, body.member);
  if (member.activeDevices.length >= MAX_ACTIVE_DEVICES)
    throw new DirectoryError('too-many-devices', `a member has at most ${MAX_ACTIVE_DEVICES} devices`);
  const newDevice = readNewDevice(primitives, body, entry.timeMs);
  requireFreshKey(primitives, facts, newDevice.verifier.publicKey);
  const claim = possessionClaim({ ...body, org: facts.org, previousHash: facts.headHash });
  verifyBytes(primitives, newDevice.verifier, 'deviceRecordSignature', claim, body.possessionSignature);

  const { device } = newDevice;
  return {
    members: [{ ...member, activeDevices: [...member.activeDevices, device.id] }],
    devices: [{ ...device, member: member.id, addedAt: entry.index }],
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
