import { idBytes, labelledHash, type DeviceId, type MemberId, type Primitives } from '@keytide/crypto-core';

const MEMBER = Uint8Array.of(0);
const DEVICE = Uint8Array.of(1);
const ORGANISATION = Uint8Array.of(2);

/** How many bits a key has. */
const KEY_BITS = 256;

/** Where a member's head is in the map: 32 bytes. Hashed, because a joiner chooses the id. */
export function memberKey(primitives: Primitives, member: MemberId): Uint8Array {
  return labelledHash(primitives, 'mapKey', MEMBER, idBytes(member));
}

/** Where a device's head is in the map: 32 bytes. */
export function deviceKey(primitives: Primitives, device: DeviceId): Uint8Array {
  return labelledHash(primitives, 'mapKey', DEVICE, idBytes(device));
}

/** Where the organisation's own head is in the map: 32 bytes. */
export function organisationKey(primitives: Primitives): Uint8Array {
  return labelledHash(primitives, 'mapKey', ORGANISATION);
}

/** Bit `position` of a key, 0 being the first: 0 or 1. */
export function bitOf(key: Uint8Array, position: number): number {
  return ((key[position >> 3] as number) >> (7 - (position & 7))) & 1;
}

/** The first bits of a key, and zeros up to 32 bytes. */
export function prefixOf(key: Uint8Array, bits: number): Uint8Array {
  const prefix = new Uint8Array(key.length);
  const whole = bits >> 3;
  prefix.set(key.subarray(0, whole));
  if ((bits & 7) !== 0) prefix[whole] = (key[whole] as number) & (0xff << (8 - (bits & 7)));
  return prefix;
}

/** The first position at which two keys differ; `KEY_BITS` when they do not. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i += 1) {
    const difference = (a[i] as number) ^ (b[i] as number);
    if (difference !== 0) return i * 8 + Math.clz32(difference) - 24;
  }
  return KEY_BITS;
}
