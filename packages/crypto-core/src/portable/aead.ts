import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { aeadFailed, checkAeadInput, inPlace } from '../aead-input.ts';
import type { AeadInput } from '../primitives.ts';

/** ChaCha20-Poly1305 of `Primitives.aeadSeal`. */
export function aeadSeal(input: AeadInput): Uint8Array {
  checkAeadInput(input);
  return inPlace(chacha20poly1305(input.key, input.nonce, input.associated).encrypt(input.data), input);
}

/** ChaCha20-Poly1305 of `Primitives.aeadOpen`. @throws CryptoError `decryption-failed` */
export function aeadOpen(input: AeadInput): Uint8Array {
  checkAeadInput(input);
  return inPlace(opened(input), input);
}

function opened(input: AeadInput): Uint8Array {
  try {
    return chacha20poly1305(input.key, input.nonce, input.associated).decrypt(input.data);
  } catch {
    throw aeadFailed();
  }
}
