import {
  decapsulate as mlKemDecapsulate,
  diffieHellman,
  encapsulate as mlKemEncapsulate,
  generateKeyPairSync,
  hash,
} from 'node:crypto';
import { concatBytes } from '../bytes.ts';
import type { Decapsulator, Encapsulator } from '../primitives.ts';
import {
  checkedXWingPublicKey,
  checkXWingCiphertext,
  checkXWingSeed,
  ML_KEM_CIPHERTEXT_BYTES,
  ML_KEM_PUBLIC_BYTES,
  X_WING_LABEL,
} from '../strict-x-wing.ts';
import { importMlKemSeed, importPrivate, importPublic, rawPublic } from './raw-key.ts';

/** X-Wing of `Primitives.decapsulator`. @throws CryptoError `bad-key` for a seed that is not 32 bytes */
export function decapsulator(seed: Uint8Array): Decapsulator {
  checkXWingSeed(seed);
  const expanded = hash('shake256', seed, { outputEncoding: 'buffer', outputLength: 96 });
  const mlKem = importMlKemSeed(expanded.subarray(0, 64));
  const x25519 = importPrivate('x25519', expanded.subarray(64));
  expanded.fill(0);
  const x25519Public = rawPublic(x25519);
  const publicKey = concatBytes(rawPublic(mlKem), x25519Public);

  return {
    publicKey,
    decapsulate(ciphertext) {
      checkXWingCiphertext(ciphertext);
      const x25519Ciphertext = ciphertext.subarray(ML_KEM_CIPHERTEXT_BYTES);
      const mlKemSecret = mlKemDecapsulate(mlKem, ciphertext.subarray(0, ML_KEM_CIPHERTEXT_BYTES));
      const sender = importPublic('x25519', x25519Ciphertext);
      const x25519Secret = diffieHellman({ privateKey: x25519, publicKey: sender });
      return combine(mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public);
    },
  };
}

/** X-Wing of `Primitives.encapsulator`. @throws CryptoError `bad-key` */
export function encapsulator(publicKey: Uint8Array): Encapsulator {
  const own = checkedXWingPublicKey(publicKey);
  const mlKem = importPublic('ml-kem-768', own.subarray(0, ML_KEM_PUBLIC_BYTES));
  const x25519Public = own.subarray(ML_KEM_PUBLIC_BYTES);
  const x25519 = importPublic('x25519', x25519Public);

  return {
    publicKey: own,
    encapsulate() {
      const ephemeral = generateKeyPairSync('x25519');
      const ephemeralPublic = new Uint8Array(ephemeral.publicKey.export({ format: 'raw-public' }));
      const { sharedKey, ciphertext } = mlKemEncapsulate(mlKem);
      const x25519Secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: x25519 });
      return {
        ciphertext: concatBytes(ciphertext, ephemeralPublic),
        sharedSecret: combine(sharedKey, x25519Secret, ephemeralPublic, x25519Public),
      };
    },
  };
}

/** SHA3-256(ssM ‖ ssX ‖ ctX ‖ pkX ‖ label), draft-connolly-cfrg-xwing-kem §5.3. Wipes both inputs. */
function combine(
  mlKemSecret: Uint8Array,
  x25519Secret: Uint8Array,
  x25519Ciphertext: Uint8Array,
  x25519Public: Uint8Array,
): Uint8Array {
  const input = concatBytes(mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public, X_WING_LABEL);
  const secret = new Uint8Array(hash('sha3-256', input, 'buffer'));
  for (const used of [input, mlKemSecret, x25519Secret]) used.fill(0);
  return secret;
}
