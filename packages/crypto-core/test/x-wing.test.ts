import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, openBox, sealBox } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';
import { loadSodium } from './sodium.ts';
import { hex, vectors } from './vectors.ts';

const sodium = await loadSodium();
const random = seededRandom('x-wing');
const few = { numRuns: 20 };

describe('X-Wing', () => {
  test.each(vectors('xWing'))('$source', (vector) => {
    const decapsulator = primitives.decapsulator(vector.bytes('seed'));
    expect(decapsulator.publicKey).toEqual(vector.bytes('publicKey'));
    // node:crypto takes no encapsulation randomness, so libsodium makes the published ciphertext.
    const made = sodium.crypto_kem_xwing_enc_deterministic(
      decapsulator.publicKey,
      vector.bytes('encapsulationSeed'),
    );
    expect(made.ciphertext).toEqual(vector.bytes('ciphertext'));
    expect(decapsulator.decapsulate(made.ciphertext)).toEqual(vector.bytes('sharedSecret'));
  });

  test('opens what libsodium seals, and the other way round', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const ours = primitives.decapsulator(seed);
        const theirs = sodium.crypto_kem_xwing_seed_keypair(seed);
        expect(ours.publicKey).toEqual(theirs.publicKey);
        const fromUs = primitives.encapsulator(theirs.publicKey).encapsulate();
        expect(sodium.crypto_kem_xwing_dec(fromUs.ciphertext, theirs.privateKey)).toEqual(
          fromUs.sharedSecret,
        );
        const fromThem = sodium.crypto_kem_xwing_enc(ours.publicKey);
        expect(ours.decapsulate(fromThem.ciphertext)).toEqual(fromThem.sharedSecret);
      }),
      few,
    );
  });

  test.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ])('refuses the X25519 point %s, whose secret is all zero', (point) => {
    const decapsulator = primitives.decapsulator(random(32));
    const { ciphertext } = primitives.encapsulator(decapsulator.publicKey).encapsulate();
    const poisoned = concatBytes(ciphertext.subarray(0, 1088), hex(point));
    expect(codeOf(() => decapsulator.decapsulate(poisoned))).toBe('decryption-failed');
    const publicKey = concatBytes(decapsulator.publicKey.subarray(0, 1184), hex(point));
    expect(codeOf(() => primitives.encapsulator(publicKey))).toBe('bad-key');
  });

  test('refuses other lengths and ML-KEM coefficients above the modulus', () => {
    const decapsulator = primitives.decapsulator(random(32));
    expect(codeOf(() => primitives.decapsulator(new Uint8Array(33)))).toBe('bad-key');
    expect(codeOf(() => primitives.encapsulator(decapsulator.publicKey.subarray(1)))).toBe('bad-key');
    expect(codeOf(() => decapsulator.decapsulate(new Uint8Array(1119)))).toBe('decryption-failed');
    const overflowing = decapsulator.publicKey.slice().fill(0xff, 0, 3);
    expect(codeOf(() => primitives.encapsulator(overflowing))).toBe('bad-key');
  });
});

describe('sealed box', () => {
  const recipient = primitives.decapsulator(random(32));
  const stranger = primitives.decapsulator(random(32));
  const encapsulator = primitives.encapsulator(recipient.publicKey);
  const context = random(64);

  test('opens for its recipient and context, and for nobody else', () => {
    const secret = random(32);
    const box = sealBox(primitives, encapsulator, context, secret);
    expect(box).toHaveLength(1120 + 32 + 16);
    expect(openBox(primitives, recipient, context, box)).toEqual(secret);
    expect(codeOf(() => openBox(primitives, stranger, context, box))).toBe('decryption-failed');
    expect(codeOf(() => openBox(primitives, recipient, random(64), box))).toBe('decryption-failed');
  });

  test('refuses any altered byte with one code', () => {
    const box = sealBox(primitives, encapsulator, context, random(32));
    fc.assert(
      fc.property(fc.nat(box.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = box.slice();
        altered[at] = (altered[at] as number) ^ mask;
        // Also the top bit of the point, which X25519 ignores (RFC 7748 §5): the combiner sees it.
        expect(codeOf(() => openBox(primitives, recipient, context, altered))).toBe('decryption-failed');
      }),
    );
  });

  test('refuses short, cut and oversized boxes', () => {
    const box = sealBox(primitives, encapsulator, context, random(32));
    expect(codeOf(() => openBox(primitives, recipient, context, box.subarray(0, 1135)))).toBe('malformed');
    expect(codeOf(() => openBox(primitives, recipient, context, box.subarray(0, 1167)))).toBe(
      'decryption-failed',
    );
    expect(codeOf(() => openBox(primitives, recipient, context, new Uint8Array(65_537)))).toBe('too-large');
    expect(codeOf(() => sealBox(primitives, encapsulator, context, new Uint8Array(65_000)))).toBe(
      'too-large',
    );
  });
});
