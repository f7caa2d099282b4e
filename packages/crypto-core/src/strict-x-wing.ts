import { asciiBytes, toHex } from './bytes.ts';
import { CryptoError } from './errors.ts';

/** Sizes of X-Wing's halves (draft-connolly-cfrg-xwing-kem §5.1). */
export const ML_KEM_PUBLIC_BYTES = 1184;
/** As above. */
export const ML_KEM_CIPHERTEXT_BYTES = 1088;
const X25519_BYTES = 32;
const SEED_BYTES = 32;

/** The X-Wing label, §5.3: it comes last in the combiner. */
export const X_WING_LABEL: Uint8Array = asciiBytes('\\.//^\\');

/** @throws CryptoError `bad-key` for an X-Wing seed that is not 32 bytes */
export function checkXWingSeed(seed: Uint8Array): void {
  if (seed.length !== SEED_BYTES) throw new CryptoError('bad-key', 'an X-Wing seed has 32 bytes');
}

/**
 * Copies an X-Wing public key whose ML-KEM half is reduced (FIPS 203 §7.2) and whose X25519 half is not of
 * small order. @throws CryptoError `bad-key`
 */
export function checkedXWingPublicKey(publicKey: Uint8Array): Uint8Array {
  if (
    publicKey.length !== ML_KEM_PUBLIC_BYTES + X25519_BYTES ||
    !isReduced(publicKey) ||
    isSmallOrder(publicKey.subarray(ML_KEM_PUBLIC_BYTES))
  )
    throw new CryptoError('bad-key', 'not an X-Wing public key');
  return new Uint8Array(publicKey);
}

/** Refuses an X-Wing ciphertext of wrong length or with an all-zero X25519 secret. @throws CryptoError `decryption-failed` */
export function checkXWingCiphertext(ciphertext: Uint8Array): void {
  if (
    ciphertext.length !== ML_KEM_CIPHERTEXT_BYTES + X25519_BYTES ||
    isSmallOrder(ciphertext.subarray(ML_KEM_CIPHERTEXT_BYTES))
  )
    throw new CryptoError('decryption-failed', 'wrong key or altered bytes');
}

const ML_KEM_MODULUS = 3329;
/** 3 polynomials of 256 coefficients, two in three bytes; the 32-byte seed of the matrix comes after them. */
const ML_KEM_COEFFICIENT_BYTES = 1152;

function isReduced(publicKey: Uint8Array): boolean {
  for (let i = 0; i < ML_KEM_COEFFICIENT_BYTES; i += 3) {
    const [low, middle, high] = [publicKey[i], publicKey[i + 1], publicKey[i + 2]] as [
      number,
      number,
      number,
    ];
    if ((low | ((middle & 15) << 8)) >= ML_KEM_MODULUS || ((middle >> 4) | (high << 4)) >= ML_KEM_MODULUS)
      return false;
  }
  return true;
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
