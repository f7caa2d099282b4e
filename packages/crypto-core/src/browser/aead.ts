import { aeadFailed, checkAeadInput, inPlace } from '../aead-input.ts';
import { aeadOpen as openPortably, aeadSeal as sealPortably } from '../portable/aead.ts';
import type { AeadInput, Primitives } from '../primitives.ts';
import type { Sodium } from './sodium.ts';

/** ChaCha20-Poly1305 of `Primitives` on libsodium. */
export function aeadOf(sodium: Sodium): Pick<Primitives, 'aeadSeal' | 'aeadOpen'> {
  const {
    crypto_aead_chacha20poly1305_ietf_encrypt: encrypt,
    crypto_aead_chacha20poly1305_ietf_decrypt: decrypt,
  } = sodium;
  if (encrypt === undefined || decrypt === undefined)
    return { aeadSeal: sealPortably, aeadOpen: openPortably };
  const opened = (input: AeadInput): Uint8Array => {
    try {
      return decrypt(null, input.data, input.associated, input.nonce, input.key);
    } catch {
      throw aeadFailed();
    }
  };
  return {
    aeadSeal(input) {
      checkAeadInput(input);
      return inPlace(encrypt(input.data, input.associated, null, input.nonce, input.key), input);
    },
    aeadOpen(input) {
      checkAeadInput(input);
      return inPlace(opened(input), input);
    },
  };
}
