import {
  decapsulate as mlKemDecapsulate,
  diffieHellman,
  encapsulate as mlKemEncapsulate,
  generateKeyPairSync,
  hash,
  type KeyObject,
} from 'node:crypto';
import { asciiBytes, concatBytes, toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { Decapsulator, Encapsulator } from '../primitives.ts';
import { importMlKemSeed, importPrivate, importPublic, rawPublic } from './raw-key.ts';

const SEED_BYTES = 32;
const ML_KEM_PUBLIC_BYTES = 1184;
const ML_KEM_CIPHERTEXT_BYTES = 1088;
const X25519_BYTES = 32;
/** The X-Wing label, draft-connolly-cfrg-xwing-kem §5.3: it comes last in the combiner. */
const X_WING_LABEL = asciiBytes('\\.//^\\');

/** X-Wing of `Primitives.decapsulator`. @throws CryptoError `bad-key` for a seed that is not 32 bytes */
export function decapsulator(seed: Uint8Array): Decapsulator {
  if (seed.length !== SEED_BYTES) throw new CryptoError('bad-key', 'an X-Wing seed has 32 bytes');
  const expanded = hash('shake256', seed, { outputEncoding: 'buffer', outputLength: 96 });
  const mlKem = importMlKemSeed(expanded.subarray(0, 64));
  const x25519 = importPrivate('x25519', expanded.subarray(64));
  expanded.fill(0);
  const x25519Public = rawPublic(x25519);
  const publicKey = concatBytes(rawPublic(mlKem), x25519Public);

  return {
    publicKey,
    decapsulate(ciphertext) {
      if (ciphertext.length !== ML_KEM_CIPHERTEXT_BYTES + X25519_BYTES) throw decapsulationFailed();
      const x25519Ciphertext = ciphertext.subarray(ML_KEM_CIPHERTEXT_BYTES);
      const mlKemSecret = mlKemDecapsulate(mlKem, ciphertext.subarray(0, ML_KEM_CIPHERTEXT_BYTES));
      let x25519Secret: Uint8Array;
      try {
        x25519Secret = sharedSecret(x25519, x25519Ciphertext);
      } catch {
        throw decapsulationFailed();
      }
      return combine(mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public);
    },
  };
}

/** X-Wing of `Primitives.encapsulator`. @throws CryptoError `bad-key` */
export function encapsulator(publicKey: Uint8Array): Encapsulator {
  if (publicKey.length !== ML_KEM_PUBLIC_BYTES + X25519_BYTES) throw badPublicKey();
  const own = new Uint8Array(publicKey);
  const x25519Public = own.subarray(ML_KEM_PUBLIC_BYTES);
  if (isSmallOrder(x25519Public)) throw badPublicKey();
  let mlKem: KeyObject;
  let x25519: KeyObject;
  try {
    mlKem = importPublic('ml-kem-768', own.subarray(0, ML_KEM_PUBLIC_BYTES));
    x25519 = importPublic('x25519', x25519Public);
  } catch (cause) {
    throw badPublicKey(cause);
  }

  return {
    publicKey: own,
    encapsulate() {
      const ephemeral = generateKeyPairSync('x25519');
      const ephemeralPublic = rawPublic(ephemeral.privateKey);
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

/** OpenSSL refuses the all-zero secret; the check is repeated so that the verdict does not hang on its version. */
function sharedSecret(privateKey: KeyObject, publicKey: Uint8Array): Uint8Array {
  if (isSmallOrder(publicKey)) throw decapsulationFailed();
  return diffieHellman({ privateKey, publicKey: importPublic('x25519', publicKey) });
}

/** Points that give every key the all-zero secret (RFC 7748 §6.1), high bit cleared; p and p + 1 stand for 0 and 1. */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

function isSmallOrder(point: Uint8Array): boolean {
  const u = new Uint8Array(point);
  u[31] = (u[31] as number) & 0x7f;
  return SMALL_ORDER.has(toHex(u));
}

function badPublicKey(cause?: unknown): CryptoError {
  return new CryptoError('bad-key', 'not an X-Wing public key', { cause });
}

function decapsulationFailed(): CryptoError {
  return new CryptoError('decryption-failed', 'wrong key or altered bytes');
}
