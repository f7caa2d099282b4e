import { CryptoError } from './errors.ts';
import type { AeadInput } from './primitives.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;

/** Refuses lengths that RFC 8439 does not have. @throws CryptoError `bad-key`, `malformed` */
export function checkAeadInput(input: AeadInput): void {
  if (input.key.length !== KEY_BYTES) throw new CryptoError('bad-key', 'an AEAD key has 32 bytes');
  if (input.nonce.length !== NONCE_BYTES) throw new CryptoError('malformed', 'an AEAD nonce has 12 bytes');
}

/** The one refusal of an AEAD; no cause, because it says nothing about what failed inside. */
export function aeadFailed(): CryptoError {
  return new CryptoError('decryption-failed', 'wrong key or altered bytes');
}
