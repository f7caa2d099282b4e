import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, signBytes, toHex, verifyBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { isStrictSignature } from '../src/strict-ed25519.ts';
import { codeOf } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';
import { loadSodium } from './sodium.ts';
import { hex, vectors } from './vectors.ts';

const sodium = await loadSodium();
const random = seededRandom('ed25519');
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const PRIME = 2n ** 255n - 19n;

const littleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
const toLittleEndian = (number: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, index) => Number((number >> BigInt(8 * index)) & 255n));
const sha512 = (...parts: Uint8Array[]): Uint8Array =>
  createHash('sha512')
    .update(concatBytes(...parts))
    .digest();

/** The secret scalar of RFC 8032 §5.1.5. */
function scalarOf(seed: Uint8Array): bigint {
  const half = sha512(seed).slice(0, 32);
  half[0] = (half[0] as number) & 248;
  half[31] = ((half[31] as number) & 127) | 64;
  return littleEndian(half);
}

/** All encodings with a y of small order: canonical and not, both signs. */
const SMALL_ORDER_KEYS = [
  0n,
  1n,
  PRIME - 1n,
  PRIME,
  PRIME + 1n,
  littleEndian(hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')),
  littleEndian(hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')),
].flatMap((y) => [toLittleEndian(y), toLittleEndian(y | (1n << 255n))]);

describe('Ed25519', () => {
  test.each(vectors('ed25519'))('$source', (vector) => {
    const signer = primitives.signer(vector.bytes('seed'));
    const [message, signature] = [vector.bytes('message'), vector.bytes('signature')];
    expect(signer.publicKey).toEqual(vector.bytes('publicKey'));
    expect(signer.sign(message)).toEqual(signature);
    expect(primitives.verifier(signer.publicKey).verify(message, signature)).toBe(true);
  });

  test('gives the verdict of libsodium on true and altered signatures', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 100 }),
        fc.option(fc.record({ at: fc.nat(63), bit: fc.nat(7) })),
        (seed, message, change) => {
          const signer = primitives.signer(seed);
          const signature = signer.sign(message);
          if (change !== null) signature[change.at] = (signature[change.at] as number) ^ (1 << change.bit);
          const verdict = primitives.verifier(signer.publicKey).verify(message, signature);
          expect(verdict).toBe(change === null);
          expect(sodium.crypto_sign_verify_detached(signature, message, signer.publicKey)).toBe(verdict);
        },
      ),
    );
  });

  test.each(SMALL_ORDER_KEYS.map((key) => [toHex(key)]))('refuses the key %s of small order', (key) => {
    expect(codeOf(() => primitives.verifier(hex(key)))).toBe('bad-key');
  });

  test('refuses non-canonical keys and other lengths', () => {
    for (let y = PRIME; y < 2n ** 255n; y += 1n) {
      expect(codeOf(() => primitives.verifier(toLittleEndian(y)))).toBe('bad-key');
    }
    expect(codeOf(() => primitives.verifier(new Uint8Array(31)))).toBe('bad-key');
    expect(codeOf(() => primitives.signer(new Uint8Array(31)))).toBe('bad-key');
  });

  test('refuses S + L, which is a second signature of the same message', () => {
    const signer = primitives.signer(random(32));
    const message = random(20);
    const signature = signer.sign(message);
    const malleable = concatBytes(
      signature.subarray(0, 32),
      toLittleEndian(littleEndian(signature.subarray(32)) + ORDER),
    );
    const verifier = primitives.verifier(signer.publicKey);
    expect(verifier.verify(message, signature)).toBe(true);
    expect(verifier.verify(message, malleable)).toBe(false);
    expect(verifier.verify(message, signature.subarray(0, 63))).toBe(false);
  });

  test('refuses an R of small order that satisfies the equation', () => {
    const seed = random(32);
    const { publicKey } = primitives.signer(seed);
    const message = random(20);
    const identity = toLittleEndian(1n);
    const challenge = littleEndian(sha512(identity, publicKey, message));
    const s = (challenge * scalarOf(seed)) % ORDER;
    const signature = concatBytes(identity, toLittleEndian(s));
    expect(primitives.verifier(publicKey).verify(message, signature)).toBe(false);
    expect(sodium.crypto_sign_verify_detached(signature, message, publicKey)).toBe(false);
  });
});

describe('strictness, whatever the library below would say', () => {
  const good = primitives.signer(random(32)).sign(random(5));
  const withR = (r: Uint8Array) => concatBytes(r, good.subarray(32));
  test('R', () => {
    expect(isStrictSignature(good)).toBe(true);
    for (const point of SMALL_ORDER_KEYS) expect(isStrictSignature(withR(point))).toBe(false);
    expect(isStrictSignature(withR(toLittleEndian(PRIME + 9n)))).toBe(false);
  });
  test('S', () => {
    const withS = (s: bigint) => concatBytes(good.subarray(0, 32), toLittleEndian(s));
    expect(isStrictSignature(withS(ORDER - 1n))).toBe(true);
    for (const s of [ORDER, ORDER + 1n, 2n ** 255n, 2n ** 256n - 1n])
      expect(isStrictSignature(withS(s))).toBe(false);
  });
});

describe('signBytes', () => {
  test('is bound to label, data and key', () => {
    const signer = primitives.signer(random(32));
    const verifier = primitives.verifier(signer.publicKey);
    const other = primitives.verifier(primitives.signer(random(32)).publicKey);
    const data = random(50);
    const signature = signBytes(primitives, signer, 'login', data);
    verifyBytes(primitives, verifier, 'login', data, signature);
    expect(codeOf(() => verifyBytes(primitives, verifier, 'entrySignature', data, signature))).toBe(
      'bad-signature',
    );
    expect(codeOf(() => verifyBytes(primitives, verifier, 'login', random(50), signature))).toBe(
      'bad-signature',
    );
    expect(codeOf(() => verifyBytes(primitives, other, 'login', data, signature))).toBe('bad-signature');
  });
});
