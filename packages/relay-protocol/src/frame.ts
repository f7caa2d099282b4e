import { CryptoError, decodeCbor, type CborValue } from '@keytide/crypto-core';
import { ProtocolError } from './errors.ts';

/**
 * A frame's fields: a non-empty CBOR array in its one deterministic encoding.
 * @throws ProtocolError `too-large`, `malformed`
 */
export function readFrame(bytes: Uint8Array, maxSizeBytes: number): readonly CborValue[] {
  let value: CborValue;
  try {
    value = decodeCbor(bytes, maxSizeBytes);
  } catch (cause) {
    const tooLarge = cause instanceof CryptoError && cause.code === 'too-large';
    throw new ProtocolError(tooLarge ? 'too-large' : 'malformed', 'not a frame', { cause });
  }
  if (!Array.isArray(value) || value.length === 0) throw new ProtocolError('malformed', 'not a frame');
  return value as readonly CborValue[];
}
