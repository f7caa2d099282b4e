import { readCbor } from './cbor-decode.ts';
import { writeCbor } from './cbor-encode.ts';
import type { CborValue } from './cbor-value.ts';
import { CryptoError } from './errors.ts';

export type { CborValue } from './cbor-value.ts';

/** Arrays and maps in each other; more is refused, so that no input exhausts a runtime's stack. */
const MAX_CBOR_DEPTH = 64;

/**
 * Encodes deterministically (RFC 8949 §4.2.1): equal values give equal bytes.
 * @throws CryptoError `malformed` for a value outside `CborValue` (undefined, NaN, infinities, bigint, functions,
 * text with a lone surrogate) or nested deeper than `MAX_CBOR_DEPTH`.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  return writeCbor(value, MAX_CBOR_DEPTH);
}

/**
 * Decodes bytes that are exactly one deterministic encoding: no trailing bytes, no duplicate keys,
 * shortest forms, sorted keys, no tags, no indefinite lengths, valid UTF-8.
 * @param maxSizeBytes refuse longer input before looking at it
 * @throws CryptoError `too-large`, `malformed`
 */
export function decodeCbor(bytes: Uint8Array, maxSizeBytes: number): CborValue {
  if (bytes.length > maxSizeBytes)
    throw new CryptoError('too-large', `over the limit of ${maxSizeBytes} bytes`);
  return readCbor(bytes, MAX_CBOR_DEPTH);
}
