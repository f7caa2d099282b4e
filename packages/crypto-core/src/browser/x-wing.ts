import { decapsulator, encapsulator } from '../portable/x-wing.ts';
import type { Primitives, Random } from '../primitives.ts';
import { checkedXWingPublicKey, checkXWingCiphertext, checkXWingSeed } from '../strict-x-wing.ts';
import type { Sodium } from './sodium.ts';

/** X-Wing of `Primitives` on libsodium; 64 bytes of `random` make one encapsulation. */
export function xWingOf(sodium: Sodium, random: Random): Pick<Primitives, 'decapsulator' | 'encapsulator'> {
  const {
    crypto_kem_xwing_seed_keypair: keyPair,
    crypto_kem_xwing_enc_deterministic: encapsulate,
    crypto_kem_xwing_dec: decapsulate,
  } = sodium;
  if (keyPair === undefined || encapsulate === undefined || decapsulate === undefined)
    return { decapsulator, encapsulator: (publicKey) => encapsulator(publicKey, random) };
  return {
    decapsulator(seed) {
      checkXWingSeed(seed);
      const { publicKey, privateKey } = keyPair(seed);
      return {
        publicKey,
        decapsulate(ciphertext) {
          checkXWingCiphertext(ciphertext);
          return decapsulate(ciphertext, privateKey);
        },
      };
    },
    encapsulator(publicKey) {
      const own = checkedXWingPublicKey(publicKey);
      return {
        publicKey: own,
        encapsulate() {
          const fresh = random(64);
          const { ciphertext, sharedSecret } = encapsulate(own, fresh);
          fresh.fill(0);
          return { ciphertext, sharedSecret };
        },
      };
    },
  };
}
