import { fromHex, toHex } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { labelledHash } from './hash.ts';
import type { Primitives } from './primitives.ts';

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** 32 bytes as lower-case hex: the hash of a device's signing key. Public. */
export type DeviceId = Id<'device'>;
/** 32 bytes as lower-case hex: the members who share epoch keys. Public. */
export type GroupId = Id<'group'>;
/** 32 bytes as lower-case hex: the hash of an organisation's first log entry. Public. */
export type OrgId = Id<'org'>;
/** 16 random bytes as lower-case hex: a person in an organisation. Public. */
export type MemberId = Id<'member'>;
/** 32 bytes as lower-case hex: the hash of a membership log entry. Public. */
export type EntryHash = Id<'entry'>;

/** Reads a device id from hex or from its 32 bytes. @throws CryptoError `malformed` */
export function deviceId(value: string | Uint8Array): DeviceId {
  return checkedHex(value, 32) as DeviceId;
}

/** Reads a group id from hex or from its 32 bytes. @throws CryptoError `malformed` */
export function groupId(value: string | Uint8Array): GroupId {
  return checkedHex(value, 32) as GroupId;
}

/** Reads an organisation id from hex or from its 32 bytes. @throws CryptoError `malformed` */
export function orgId(value: string | Uint8Array): OrgId {
  return checkedHex(value, 32) as OrgId;
}

/** Reads a member id from hex or from its 16 bytes. @throws CryptoError `malformed` */
export function memberId(value: string | Uint8Array): MemberId {
  return checkedHex(value, 16) as MemberId;
}

/** Reads an entry hash from hex or from its 32 bytes. @throws CryptoError `malformed` */
export function entryHash(value: string | Uint8Array): EntryHash {
  return checkedHex(value, 32) as EntryHash;
}

/** The bytes of an id as they travel: 32, or 16 for a member. */
export function idBytes(id: DeviceId | GroupId | OrgId | MemberId | EntryHash): Uint8Array {
  const bytes = fromHex(id);
  if (bytes === null) throw new CryptoError('malformed', 'not an id');
  return bytes;
}

/** The id of the device that signs with this 32-byte Ed25519 public key. */
export function deviceIdOf(primitives: Primitives, signingPublicKey: Uint8Array): DeviceId {
  return deviceId(labelledHash(primitives, 'deviceId', signingPublicKey));
}

function checkedHex(value: string | Uint8Array, sizeBytes: number): string {
  const bytes = typeof value === 'string' ? fromHex(value) : value;
  if (bytes === null || bytes.length !== sizeBytes)
    throw new CryptoError('malformed', `an id of ${sizeBytes} bytes was expected`);
  return typeof value === 'string' ? value : toHex(value);
}
