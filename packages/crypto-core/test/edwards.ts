import { createHash } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { concatBytes, fromHex, toHex } from '@keytide/crypto-core';

/** Signatures that no honest signer makes, from the curve's own arithmetic (RFC 8032 §5.1). */
const { Point } = ed25519;
type EdwardsPoint = InstanceType<typeof Point>;

/** The order of the base point. */
export const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** A point of order 8; its multiples are all eight points of small order. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');

/** `count` times the point of order 8. */
const torsion = (count: number): EdwardsPoint =>
  count % 8 === 0 ? Point.ZERO : TORSION.multiplyUnsafe(BigInt(count % 8));

const times = (scalar: bigint): EdwardsPoint => Point.BASE.multiplyUnsafe(scalar % ORDER);

export const littleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${toHex(Uint8Array.from(bytes).toReversed())}`);

export function toLittleEndian(number: bigint): Uint8Array {
  return (fromHex(number.toString(16).padStart(64, '0')) as Uint8Array).toReversed();
}

/** k of RFC 8032 §5.1.7, not reduced. */
const challenge = (r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint =>
  littleEndian(
    createHash('sha512')
      .update(concatBytes(r, publicKey, message))
      .digest(),
  );

/**
 * Signs with the secret scalar `secret` under the public key [secret]B + [keyTorsion]T and R = [nonce]B +
 * [nonceTorsion]T. The equation holds with the cofactor always, and without it where the torsion parts cancel.
 */
export function mixedOrderSignature(input: {
  readonly secret: bigint;
  readonly nonce: bigint;
  readonly keyTorsion: number;
  readonly nonceTorsion: number;
  readonly message: Uint8Array;
}) {
  const publicKey = times(input.secret).add(torsion(input.keyTorsion)).toBytes();
  const r = times(input.nonce).add(torsion(input.nonceTorsion)).toBytes();
  const k = challenge(r, publicKey, input.message) % ORDER;
  const s = (input.nonce + k * input.secret) % ORDER;
  const torsionLeft = (BigInt(input.nonceTorsion) + k * BigInt(input.keyTorsion)) % 8n;
  return {
    publicKey,
    signature: concatBytes(r, toLittleEndian(s)),
    holdsWithoutCofactor: torsionLeft === 0n,
  };
}
