import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes } from '@keytide/crypto-core';
import { littleEndian, mixedOrderSignature, ORDER, toLittleEndian } from './edwards.ts';
import { agreed, providers } from './providers.ts';

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const message = fc.uint8Array({ maxLength: 300 });
const few = { numRuns: 25 };
const scalar = fc.bigInt({ min: 1n, max: ORDER - 1n });
const PRIME = 2n ** 255n - 19n;

/** The verdict of all implementations on one signature: true, false, or the code that refuses the key. */
const verdict = (publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): string =>
  agreed((primitives) => primitives.verifier(publicKey).verify(data, signature));

describe('Ed25519 on every implementation', () => {
  test('gives the same keys and signatures', () => {
    fc.assert(
      fc.property(bytes32, message, (seed, data) => {
        const publicKey = agreed((primitives) => primitives.signer(seed).publicKey);
        const signature = agreed((primitives) => primitives.signer(seed).sign(data));
        expect([publicKey.length, signature.length]).toEqual([64, 128]);
      }),
      few,
    );
  });

  test('gives the same verdict on true and altered signatures', () => {
    const change = fc.option(fc.record({ at: fc.nat(63), bit: fc.nat(7) }));
    fc.assert(
      fc.property(bytes32, message, change, (seed, data, flip) => {
        const signer = providers[0]?.primitives.signer(seed);
        if (signer === undefined) throw new Error('no implementation');
        const signature = signer.sign(data);
        if (flip !== null) signature[flip.at] = (signature[flip.at] as number) ^ (1 << flip.bit);
        expect(verdict(signer.publicKey, data, signature)).toBe(String(flip === null));
      }),
      few,
    );
  });

  test('leaves the cofactor out: points of mixed order count only where their torsion cancels', () => {
    const seen = new Set<boolean>();
    fc.assert(
      fc.property(
        fc.record({
          secret: scalar,
          nonce: scalar,
          keyTorsion: fc.nat(7),
          nonceTorsion: fc.nat(7),
          message,
        }),
        (input) => {
          const { publicKey, signature, holdsWithoutCofactor } = mixedOrderSignature(input);
          seen.add(holdsWithoutCofactor);
          expect(verdict(publicKey, input.message, signature)).toBe(String(holdsWithoutCofactor));
        },
      ),
      { numRuns: 60, seed: 8032 },
    );
    expect(seen.size).toBe(2);
  });

  test('refuses S + n·L and every other S that is not reduced', () => {
    fc.assert(
      fc.property(bytes32, message, fc.integer({ min: 1, max: 14 }), (seed, data, count) => {
        const signer = providers[0]?.primitives.signer(seed);
        if (signer === undefined) throw new Error('no implementation');
        const signature = signer.sign(data);
        const larger = littleEndian(signature.subarray(32)) + BigInt(count) * ORDER;
        const malleable = concatBytes(signature.subarray(0, 32), toLittleEndian(larger));
        expect(verdict(signer.publicKey, data, malleable)).toBe('false');
      }),
      few,
    );
  });

  test('refuses R and A of small order and not canonical, whatever S is', () => {
    const low = fc.integer({ min: 0, max: 18 }).map((above) => PRIME + BigInt(above));
    const smallOrder = fc.nat(7).map(
      (count) =>
        mixedOrderSignature({
          secret: ORDER,
          nonce: ORDER,
          keyTorsion: count,
          nonceTorsion: count,
          message: new Uint8Array(0),
        }).publicKey,
    );
    const point = fc.oneof(low.map(toLittleEndian), smallOrder);
    fc.assert(
      fc.property(point, fc.boolean(), bytes32, scalar, message, (bad, sign, seed, s, data) => {
        const encoded = Uint8Array.from(bad);
        if (sign) encoded[31] = (encoded[31] as number) | 0x80;
        const good = providers[0]?.primitives.signer(seed).publicKey ?? bad;
        expect(verdict(good, data, concatBytes(encoded, toLittleEndian(s)))).toBe('false');
        expect(verdict(encoded, data, concatBytes(good, toLittleEndian(s)))).toBe('bad-key');
      }),
      few,
    );
  });

  test('refuses an R of small order that satisfies the equation', () => {
    fc.assert(
      fc.property(scalar, message, (secret, data) => {
        const parts = { secret, nonce: 0n, keyTorsion: 0, nonceTorsion: 0, message: data };
        const { publicKey, signature, holdsWithoutCofactor } = mixedOrderSignature(parts);
        expect(holdsWithoutCofactor).toBe(true);
        expect(verdict(publicKey, data, signature)).toBe('false');
      }),
      few,
    );
  });

  test('gives the same verdict on random keys, half of which are on no point', () => {
    fc.assert(
      fc.property(
        bytes32,
        message,
        fc.uint8Array({ minLength: 63, maxLength: 65 }),
        (key, data, signature) => {
          expect(['false', 'bad-key']).toContain(verdict(key, data, signature));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('refuses other lengths', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 70 }).filter(({ length }) => length !== 32),
        (other) => {
          expect(agreed((primitives) => primitives.signer(other).publicKey)).toBe('bad-key');
          expect(agreed((primitives) => primitives.verifier(other).publicKey)).toBe('bad-key');
        },
      ),
      few,
    );
  });
});
