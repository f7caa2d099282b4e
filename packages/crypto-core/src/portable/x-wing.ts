import { sha3_256, shake256 } from '@noble/hashes/sha3.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import nacl from 'tweetnacl';
import { concatBytes } from '../bytes.ts';
import type { Decapsulator, Encapsulator, Random } from '../primitives.ts';
import {
  checkedXWingPublicKey,
  checkXWingCiphertext,
  checkXWingSeed,
  ML_KEM_CIPHERTEXT_BYTES,
  ML_KEM_PUBLIC_BYTES,
  X_WING_LABEL,
} from '../strict-x-wing.ts';

/** X-Wing of `Primitives.decapsulator`. @throws CryptoError `bad-key` for a seed that is not 32 bytes */
export function decapsulator(seed: Uint8Array): Decapsulator {
  checkXWingSeed(seed);
  const expanded = shake256(seed, { dkLen: 96 });
  const mlKem = ml_kem768.keygen(expanded.subarray(0, 64));
  const x25519 = expanded.slice(64);
  expanded.fill(0);
  const x25519Public = nacl.scalarMult.base(x25519);
  // The expanded public matrix is a third of the work of each decapsulation.
  const prepared = ml_kem768.prepare(mlKem.publicKey);

  return {
    publicKey: concatBytes(mlKem.publicKey, x25519Public),
    decapsulate(ciphertext) {
      checkXWingCiphertext(ciphertext);
      const x25519Ciphertext = ciphertext.slice(ML_KEM_CIPHERTEXT_BYTES);
      const mlKemSecret = prepared.decapsulate(ciphertext.slice(0, ML_KEM_CIPHERTEXT_BYTES), mlKem.secretKey);
      const x25519Secret = nacl.scalarMult(x25519, x25519Ciphertext);
      return combine(mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public);
    },
  };
}

/**
 * X-Wing of `Primitives.encapsulator`. 64 bytes of `random` make one encapsulation: ML-KEM's message, then the
 * X25519 ephemeral (draft-connolly-cfrg-xwing-kem §5.4.1). The matrix is not kept: a phone holds hundreds of other
 * people's keys and uses each about once an epoch. @throws CryptoError `bad-key`
 */
export function encapsulator(publicKey: Uint8Array, random: Random): Encapsulator {
  const own = checkedXWingPublicKey(publicKey);
  const mlKemPublic = own.subarray(0, ML_KEM_PUBLIC_BYTES);
  const x25519Public = own.slice(ML_KEM_PUBLIC_BYTES);

  return {
    publicKey: own,
    encapsulate() {
      const fresh = random(64);
      const { cipherText, sharedSecret } = ml_kem768.encapsulate(mlKemPublic, fresh.slice(0, 32));
      const ephemeral = fresh.slice(32);
      const x25519Ciphertext = nacl.scalarMult.base(ephemeral);
      const x25519Secret = nacl.scalarMult(ephemeral, x25519Public);
      for (const used of [fresh, ephemeral]) used.fill(0);
      return {
        ciphertext: concatBytes(cipherText, x25519Ciphertext),
        sharedSecret: combine(sharedSecret, x25519Secret, x25519Ciphertext, x25519Public),
      };
    },
  };
}

/** SHA3-256(ssM ‖ ssX ‖ ctX ‖ pkX ‖ label), draft-connolly-cfrg-xwing-kem §5.3. Wipes both secrets. */
function combine(
  mlKemSecret: Uint8Array,
  x25519Secret: Uint8Array,
  x25519Ciphertext: Uint8Array,
  x25519Public: Uint8Array,
): Uint8Array {
  const input = concatBytes(mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public, X_WING_LABEL);
  const secret = sha3_256(input);
  for (const used of [input, mlKemSecret, x25519Secret]) used.fill(0);
  return secret;
}
