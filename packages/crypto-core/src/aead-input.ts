import { CryptoError } from './errors.ts';
import type { AeadInput } from './primitives.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;

/** Refuses lengths that RFC 8439 does not have. @throws CryptoError `bad-key`, `malformed` */
export function checkAeadInput(input: AeadInput): void {
  if (input.key.length !== KEY_BYTES) throw new CryptoError('bad-key', 'an AEAD key has 32 bytes');
  if (input.nonce.length !== NONCE_BYTES) throw new CryptoError('malformed', 'an AEAD nonce has 12 bytes');
}

/** A result at the place that the caller gave, if any. @throws RangeError where it does not fit exactly */
export function inPlace(result: Uint8Array, { into }: AeadInput): Uint8Array {
  if (into === undefined) return result;
  if (into.length !== result.length) throw new RangeError('memory of another length than the result');
  into.set(result);
  return into;
}

/** The one refusal of an AEAD; no cause, because it says nothing about what failed inside. */
export function aeadFailed(): CryptoError {
  return new CryptoError('decryption-failed', 'wrong key or altered bytes');
}
