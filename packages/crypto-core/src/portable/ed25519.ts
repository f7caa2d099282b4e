import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import nacl from 'tweetnacl';
import { concatBytes, equalBytes } from '../bytes.ts';
import type { Signer, Verifier } from '../primitives.ts';
import { checkedPublicKey, checkSeed, isStrictSignature } from '../strict-ed25519.ts';

const { Point } = ed25519;
type Point = InstanceType<typeof Point>;

/**
 * Ed25519 of `Primitives.signer`. tweetnacl, because its time does not depend on the key; big integers, which are
 * faster at this, do not promise that. @throws CryptoError `bad-key`
 */
export function signer(seed: Uint8Array): Signer {
  checkSeed(seed);
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
  return { publicKey, sign: (message) => nacl.sign.detached(message, secretKey) };
}

/**
 * Ed25519 of `Primitives.verifier`: R = [S]B - [k]A, compared as bytes (RFC 8032 §5.1.7, without the cofactor, as
 * OpenSSL and libsodium do). `verify` of @noble multiplies by the cofactor, so it accepts points of mixed order that
 * the other two refuse; tweetnacl's takes any S. Everything here is public, so speed matters and time may vary.
 * @throws CryptoError `bad-key`
 */
export function verifier(publicKey: Uint8Array): Verifier {
  const own = checkedPublicKey(publicKey);
  const negative = readPoint(own)?.negate() ?? null;
  return {
    publicKey: own,
    verify(message, signature) {
      if (negative === null || !isStrictSignature(signature)) return false;
      const r = signature.subarray(0, 32);
      const k = readScalar(sha512(concatBytes(r, own, message)));
      const s = readScalar(signature.subarray(32));
      const expected = Point.BASE.multiplyUnsafe(s).add(negative.multiplyUnsafe(k));
      return equalBytes(expected.toBytes(), r);
    },
  };
}

/** `null` for a y that is on no point: such a key verifies nothing. */
function readPoint(bytes: Uint8Array): Point | null {
  try {
    return Point.fromBytes(bytes, false);
  } catch {
    return null;
  }
}

/** Little-endian, reduced by the group order. */
function readScalar(bytes: Uint8Array): bigint {
  let hex = '';
  for (const byte of bytes) hex = byte.toString(16).padStart(2, '0') + hex;
  return Point.Fn.create(BigInt(`0x${hex}`));
}
