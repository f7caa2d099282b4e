import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, toHex, type Primitives } from '@keytide/crypto-core';
import { agreed, providers, seedable } from './providers.ts';
import { seededRandom } from './seeded-random.ts';
import { hex, vectors } from './vectors.ts';

const bytes = (sizeBytes: number) => fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes });
const few = { numRuns: 12 };
const node = providers[0]?.primitives as Primitives;

describe('X-Wing on every implementation', () => {
  test('gives the same public key, and each opens what each seals', () => {
    fc.assert(
      fc.property(bytes(32), (seed) => {
        const publicKey = hex(agreed((primitives) => primitives.decapsulator(seed).publicKey));
        for (const { primitives: sealing } of providers) {
          const { ciphertext, sharedSecret } = sealing.encapsulator(publicKey).encapsulate();
          expect(agreed((primitives) => primitives.decapsulator(seed).decapsulate(ciphertext))).toBe(
            toHex(sharedSecret),
          );
        }
      }),
      few,
    );
  });

  test('equal randomness makes equal ciphertexts, those of the draft', async () => {
    for (const vector of vectors('xWing')) {
      for (const { name, make } of seedable) {
        const primitives = await make(() => vector.bytes('encapsulationSeed'));
        const made = primitives.encapsulator(vector.bytes('publicKey')).encapsulate();
        expect([name, toHex(made.ciphertext)]).toEqual([name, toHex(vector.bytes('ciphertext'))]);
        expect([name, toHex(made.sharedSecret)]).toEqual([name, toHex(vector.bytes('sharedSecret'))]);
      }
    }
  });

  test('never repeats a ciphertext', async () => {
    const { publicKey } = node.decapsulator(new Uint8Array(32));
    for (const { name, make } of seedable) {
      const primitives = await make(seededRandom(name));
      const [one, two] = [1, 2].map(() => primitives.encapsulator(publicKey).encapsulate());
      expect(one?.ciphertext).not.toEqual(two?.ciphertext);
      expect(one?.sharedSecret).not.toEqual(two?.sharedSecret);
    }
  });

  test('an altered ML-KEM ciphertext gives everyone the same other secret', () => {
    fc.assert(
      fc.property(bytes(32), fc.nat(1087), fc.integer({ min: 1, max: 255 }), (seed, at, mask) => {
        const { publicKey } = node.decapsulator(seed);
        const { ciphertext, sharedSecret } = node.encapsulator(publicKey).encapsulate();
        ciphertext[at] = (ciphertext[at] as number) ^ mask;
        const secret = agreed((primitives) => primitives.decapsulator(seed).decapsulate(ciphertext));
        expect(secret).toHaveLength(64);
        expect(secret).not.toBe(toHex(sharedSecret));
      }),
      few,
    );
  });

  test('random ciphertexts give everyone the same secret', () => {
    fc.assert(
      fc.property(bytes(32), bytes(1120), (seed, ciphertext) => {
        expect(agreed((primitives) => primitives.decapsulator(seed).decapsulate(ciphertext))).toHaveLength(
          64,
        );
      }),
      few,
    );
  });

  test('takes a public key exactly where all ML-KEM coefficients are reduced', () => {
    const { publicKey } = node.decapsulator(new Uint8Array(32).fill(7));
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.nat(767), fc.integer({ min: 3300, max: 3360 }), (index, coefficient) => {
        const altered = withCoefficient(publicKey, index, coefficient);
        const outcome = agreed((primitives) => primitives.encapsulator(altered).publicKey);
        expect(outcome).toBe(coefficient < 3329 ? toHex(altered) : 'bad-key');
        seen.add(outcome === 'bad-key' ? outcome : 'accepted');
      }),
      { numRuns: 40, seed: 203 },
    );
    expect(seen.size).toBe(2);
  });

  test('random public keys get the same verdict, and the same secret where they are taken', () => {
    fc.assert(
      fc.property(bytes(1216), (publicKey) => {
        expect(agreed((primitives) => primitives.encapsulator(publicKey).publicKey)).toBe('bad-key');
      }),
      few,
    );
  });

  test('refuses other lengths', () => {
    const sizes = fc.constantFrom(0, 31, 33, 64, 1088, 1119, 1121, 1184, 1215, 1217);
    fc.assert(
      fc.property(sizes, bytes(32), (size, seed) => {
        const other = new Uint8Array(size);
        expect(agreed((primitives) => primitives.decapsulator(other).publicKey)).toBe('bad-key');
        expect(agreed((primitives) => primitives.encapsulator(other).publicKey)).toBe('bad-key');
        expect(agreed((primitives) => primitives.decapsulator(seed).decapsulate(other))).toBe(
          'decryption-failed',
        );
      }),
      few,
    );
  });

  test('a handle does not change when the bytes it was made from do', () => {
    const { publicKey } = node.decapsulator(new Uint8Array(32).fill(9));
    for (const { primitives } of providers) {
      const given = Uint8Array.from(publicKey);
      const encapsulator = primitives.encapsulator(given);
      given.fill(0);
      const { ciphertext, sharedSecret } = encapsulator.encapsulate();
      expect(node.decapsulator(new Uint8Array(32).fill(9)).decapsulate(ciphertext)).toEqual(sharedSecret);
    }
  });
});

/** The public key with one of its 768 coefficients of 12 bits replaced (FIPS 203 §4.2.1, ByteEncode). */
function withCoefficient(publicKey: Uint8Array, index: number, coefficient: number): Uint8Array {
  const altered = concatBytes(publicKey);
  const at = Math.floor(index / 2) * 3;
  const middle = altered[at + 1] as number;
  if (index % 2 === 0) {
    altered[at] = coefficient & 0xff;
    altered[at + 1] = (middle & 0xf0) | (coefficient >> 8);
  } else {
    altered[at + 1] = (middle & 0x0f) | ((coefficient & 15) << 4);
    altered[at + 2] = coefficient >> 4;
  }
  return altered;
}
