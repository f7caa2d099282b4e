import { fromHex, toHex } from './bytes.ts';
import { CryptoError } from './errors.ts';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Refuses what `Primitives.verifier` refuses, and copies the rest. @throws CryptoError `bad-key` */
export function checkedPublicKey(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== KEY_BYTES || !isCanonicalPoint(publicKey) || isSmallOrder(publicKey))
    throw new CryptoError('bad-key', 'not a canonical Ed25519 public key of large order');
  return new Uint8Array(publicKey);
}

/** @throws CryptoError `bad-key` for an Ed25519 seed that is not 32 bytes */
export function checkSeed(seed: Uint8Array): void {
  if (seed.length !== KEY_BYTES) throw new CryptoError('bad-key', 'an Ed25519 seed has 32 bytes');
}

/**
 * Whether R is canonical and of large order, and S below the group order (RFC 8032 §5.1.7). Libraries differ in
 * how much of this they check, so it is said here once and no verdict hangs on a library's version.
 */
export function isStrictSignature(signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const r = signature.subarray(0, 32);
  return isCanonicalPoint(r) && !isSmallOrder(r) && isBelow(signature.subarray(32), ORDER);
}

const constant = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;

/** Little-endian: the group order L, and p = 2^255 - 19 (RFC 8032 §5.1). */
const ORDER = constant('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
const PRIME = constant('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');

/**
 * The y coordinates of the eight points whose order divides 8, sign bit cleared: y = 1 (order 1), -1 (2),
 * 0 (4), and two of order 8. Both signs of x are meant, also the impossible one of x = 0.
 */
const SMALL_ORDER = new Set([
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

function isCanonicalPoint(point: Uint8Array): boolean {
  return isBelow(withoutSign(point), PRIME);
}

function isSmallOrder(point: Uint8Array): boolean {
  return SMALL_ORDER.has(toHex(withoutSign(point)));
}

function withoutSign(point: Uint8Array): Uint8Array {
  const y = new Uint8Array(point);
  y[31] = (y[31] as number) & 0x7f;
  return y;
}

/** Compares little-endian numbers of equal length; both are public. */
function isBelow(number: Uint8Array, limit: Uint8Array): boolean {
  for (let i = limit.length - 1; i >= 0; i -= 1) {
    const difference = (number[i] as number) - (limit[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
