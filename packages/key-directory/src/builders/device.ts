import { signBytes, type DeviceId, type MemberId, type Primitives } from '@keytide/crypto-core';
import { possessionClaim } from '../claims.ts';
import type { DeviceKeys } from '../entry-body.ts';
import type { DirectoryState } from '../state.ts';
import { publishKeys, type OwnDevice } from './device-keys.ts';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/** What a new device hands to the one that adds it (as a QR code, say). Public, good for one head of the log. */
export interface DeviceRequest extends DeviceKeys {
  readonly member: MemberId;
  readonly possessionSignature: Uint8Array;
}

/** Made on the new device: its keys, and its word that it wants to belong to `member`, on this head of the log. */
export function createDeviceRequest(
  primitives: Primitives,
  state: DirectoryState,
  member: MemberId,
  device: OwnDevice,
): DeviceRequest {
  const keys = publishKeys(primitives, device);
  const claim = possessionClaim({ org: state.org, previousHash: state.headHash, member, ...keys });
  const possessionSignature = signBytes(primitives, device.signer, 'deviceRecordSignature', claim);
  return { ...keys, member, possessionSignature };
}

/**
 * Made on a device of the same member, or an admin's: adds the device that made the request.
 * @throws DirectoryError `not-permitted`, `unknown-member`, `too-many-devices`, `id-reused`, `bad-signature`
 * (also when the head has moved since the request: ask the new device again), `bad-sealing-record`
 */
export function createAddDevice(context: WriteContext & { readonly request: DeviceRequest }): Uint8Array {
  const { member, deviceRecord, sealingRecord, possessionSignature } = context.request;
  return writeEntry(context, {
    kind: 'add-device',
    member,
    deviceRecord,
    sealingRecord,
    possessionSignature,
  });
}

/** Ends a device for good. @throws DirectoryError `not-permitted`, `unknown-device`, `last-admin` */
export function createRevokeDevice(context: WriteContext & { readonly device: DeviceId }): Uint8Array {
  return writeEntry(context, { kind: 'revoke-device', device: context.device });
}
