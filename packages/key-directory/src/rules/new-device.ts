import {
  deviceIdOf,
  equalBytes,
  parseDeviceRecord,
  verifySealingRecord,
  type Primitives,
  type SealingRecord,
  type Verifier,
} from '@keytide/crypto-core';
import type { DeviceKeys } from '../entry-body.ts';
import { DirectoryError } from '../errors.ts';
import { inviteIdOf } from '../invite-id.ts';
import type { Role } from '../role.ts';
import type { Device, DirectoryFacts, Member } from '../state.ts';
import type { EntryOf } from './standing.ts';

/** A device that an entry brings, its keys checked; not yet anybody's. */
export interface NewDevice {
  readonly device: Omit<Device, 'member' | 'addedAt'>;
  readonly verifier: Verifier;
}

/**
 * Reads and checks the keys of a device that enters the log: a sound signing key, and a sound sealing key
 * that this very signing key vouches for and that is in force at the entry's time.
 * @throws DirectoryError `bad-sealing-record`; CryptoError `malformed`, `bad-key`, `unsupported-version`
 */
export function readNewDevice(primitives: Primitives, keys: DeviceKeys, timeMs: number): NewDevice {
  const record = parseDeviceRecord(keys.deviceRecord);
  const verifier = primitives.verifier(record.signingPublicKey);
  const sealing = readSealingRecord(primitives, verifier, keys.sealingRecord);
  if (timeMs < sealing.notBeforeMs || timeMs >= sealing.notAfterMs)
    throw new DirectoryError('bad-sealing-record', 'the sealing key is not in force');
  return {
    verifier,
    device: {
      id: deviceIdOf(primitives, record.signingPublicKey),
      signingPublicKey: record.signingPublicKey,
      abilities: record.abilities,
      sealing: {
        publicKey: sealing.publicKey,
        notBeforeMs: sealing.notBeforeMs,
        notAfterMs: sealing.notAfterMs,
      },
      revokedAt: null,
      wipedAt: null,
    },
  };
}

/**
 * A key has one use, for ever: not a device's that was here before, not an invite's, whose secret has
 * travelled in a link, and not one that the policy names.
 * @param publicKey Ed25519, 32 bytes
 * @throws DirectoryError `id-reused`
 */
export function requireFreshKey(primitives: Primitives, facts: DirectoryFacts, publicKey: Uint8Array): void {
  const { recoveryKey, relayKey } = facts.policy;
  const isNamed = [recoveryKey, relayKey].some((key) => key !== undefined && equalBytes(key, publicKey));
  if (
    isNamed ||
    facts.devices.has(deviceIdOf(primitives, publicKey)) ||
    facts.invites.has(inviteIdOf(primitives, publicKey))
  )
    throw new DirectoryError('id-reused', 'this signing key has been used before');
}

/** A member who enters with one device. */
export function newcomer(
  entry: EntryOf<'genesis' | 'join' | 'recovery'>,
  { device }: NewDevice,
  role: Role,
): { members: [Omit<Member, 'since'>]; devices: [Device] } {
  const { index, body } = entry;
  const { member: id, handle } = body;
  const since = { roleSince: index, addedAt: index, removedAt: null };
  return {
    members: [{ id, handle, role, ...since, activeDevices: [device.id] }],
    devices: [{ ...device, member: id, addedAt: index }],
  };
}

function readSealingRecord(primitives: Primitives, verifier: Verifier, wire: Uint8Array): SealingRecord {
  try {
    const sealing = verifySealingRecord(primitives, verifier, wire);
    // Imported once here: a key that cannot be sealed to would stop every epoch of the organisation.
    primitives.encapsulator(sealing.publicKey);
    return sealing;
  } catch (cause) {
    throw new DirectoryError('bad-sealing-record', 'not a sealing key of this device', { cause });
  }
}
