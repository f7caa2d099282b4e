import type { Primitives } from '../primitives.ts';
import { checkedPublicKey, checkSeed, isStrictSignature } from '../strict-ed25519.ts';
import type { Sodium } from './sodium.ts';

/** Ed25519 of `Primitives` on libsodium. */
export function ed25519Of(sodium: Sodium): Pick<Primitives, 'signer' | 'verifier'> {
  return {
    signer(seed) {
      checkSeed(seed);
      const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed);
      return { publicKey, sign: (message) => sodium.crypto_sign_detached(message, privateKey) };
    },
    verifier(publicKey) {
      const own = checkedPublicKey(publicKey);
      return {
        publicKey: own,
        verify: (message, signature) =>
          isStrictSignature(signature) && sodium.crypto_sign_verify_detached(signature, message, own),
      };
    },
  };
}
