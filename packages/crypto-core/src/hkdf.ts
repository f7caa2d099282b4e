import { concatBytes } from './bytes.ts';
import { CryptoError } from './errors.ts';
import type { Primitives } from './primitives.ts';

const HASH_BYTES = 32;

/** HKDF-Extract with SHA-256 (RFC 5869 §2.2): 32 bytes, secret. */
export function hkdfExtract(primitives: Primitives, salt: Uint8Array, keyMaterial: Uint8Array): Uint8Array {
  return primitives.hmacSha256(salt, keyMaterial);
}

/**
 * HKDF-Expand with SHA-256 (RFC 5869 §2.3): `sizeBytes` secret bytes from a uniform 32-byte key.
 * @throws CryptoError `malformed` for more than 255 blocks (8,160 bytes), and for what is no number of bytes
 */
export function hkdfExpand(
  primitives: Primitives,
  key: Uint8Array,
  info: Uint8Array,
  sizeBytes: number,
): Uint8Array {
  const blocks = Math.ceil(sizeBytes / HASH_BYTES);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || blocks > 255)
    throw new CryptoError('malformed', 'HKDF gives whole bytes, at most 8,160');
  const output = new Uint8Array(blocks * HASH_BYTES);
  let previous: Uint8Array = new Uint8Array(0);
  for (let block = 1; block <= blocks; block += 1) {
    previous = primitives.hmacSha256(key, concatBytes(previous, info, Uint8Array.of(block)));
    output.set(previous, (block - 1) * HASH_BYTES);
  }
  return output.length === sizeBytes ? output : output.slice(0, sizeBytes);
}

/** The number of the first block of HKDF-Expand, for `hkdfExpandBlock`. */
export const HKDF_BLOCK_ONE: Uint8Array = Uint8Array.of(1);

/**
 * `hkdfExpand(primitives, key, info, 32)` for an `info` that already has `HKDF_BLOCK_ONE` behind it: the first
 * block is one HMAC, and the caller that fills one buffer again and again saves the copies.
 */
export function hkdfExpandBlock(primitives: Primitives, key: Uint8Array, infoAndOne: Uint8Array): Uint8Array {
  return primitives.hmacSha256(key, infoAndOne);
}

/** Input of `hkdf`. `salt` may be empty; `info` starts with a label. */
export interface HkdfInput {
  readonly salt: Uint8Array;
  readonly keyMaterial: Uint8Array;
  readonly info: Uint8Array;
  readonly sizeBytes: number;
}

/** HKDF with SHA-256 (RFC 5869): extract, then expand. @throws CryptoError `malformed` over 8,160 bytes */
export function hkdf(primitives: Primitives, input: HkdfInput): Uint8Array {
  const key = hkdfExtract(primitives, input.salt, input.keyMaterial);
  return hkdfExpand(primitives, key, input.info, input.sizeBytes);
}
