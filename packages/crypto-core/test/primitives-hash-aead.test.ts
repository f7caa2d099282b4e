import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AeadInput } from '@keytide/crypto-core';
import { codeOf } from './code-of.ts';
import { agreed, providers } from './providers.ts';

const bytes = (sizeBytes: number) => fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes });
/** Around the sizes where implementations change their way: a block, 1.5 KiB, 64 KiB. */
const data = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .record({ size: fc.constantFrom(63, 64, 65, 1535, 1536, 1537, 65_536), fill: fc.nat(255) })
    .map(({ size, fill }) => new Uint8Array(size).fill(fill)),
);
const input: fc.Arbitrary<AeadInput> = fc.record({
  key: bytes(32),
  nonce: bytes(12),
  associated: fc.uint8Array({ maxLength: 100 }),
  data,
});

/** The same bytes in the middle of a larger buffer, where an implementation that forgets offsets reads others. */
const shifted = (value: Uint8Array): Uint8Array => {
  const around = new Uint8Array(value.length + 7).fill(0xee);
  around.set(value, 3);
  return around.subarray(3, 3 + value.length);
};

describe('on every implementation', () => {
  test('SHA-256 and HMAC give the same bytes', () => {
    fc.assert(
      fc.property(data, fc.uint8Array({ maxLength: 150 }), (value, key) => {
        const hash = agreed((primitives) => primitives.sha256(value));
        expect(agreed((primitives) => primitives.sha256(shifted(value)))).toBe(hash);
        const tag = agreed((primitives) => primitives.hmacSha256(key, value));
        expect(agreed((primitives) => primitives.hmacSha256(shifted(key), shifted(value)))).toBe(tag);
      }),
    );
  });

  test('ChaCha20-Poly1305 seals to the same bytes and opens them', () => {
    fc.assert(
      fc.property(input, (call) => {
        const sealed = agreed((primitives) => primitives.aeadSeal(call));
        expect(sealed).toHaveLength(2 * (call.data.length + 16));
        const box = providers[0]?.primitives.aeadSeal(call) ?? call.data;
        expect(agreed((primitives) => primitives.aeadOpen({ ...call, data: shifted(box) }))).toBe(
          agreed(() => call.data),
        );
      }),
    );
  });

  test('ChaCha20-Poly1305 refuses the same altered and cut input', () => {
    const field = fc.constantFrom('key', 'nonce', 'associated', 'data' as const);
    fc.assert(
      fc.property(input, field, fc.nat(), fc.integer({ min: 1, max: 255 }), (call, name, at, mask) => {
        const sealed = { ...call, data: providers[0]?.primitives.aeadSeal(call) ?? call.data };
        const altered = Uint8Array.from(sealed[name]);
        fc.pre(altered.length > 0);
        altered[at % altered.length] = (altered[at % altered.length] as number) ^ mask;
        expect(agreed((primitives) => primitives.aeadOpen({ ...sealed, [name]: altered }))).toBe(
          'decryption-failed',
        );
        const cut = { ...sealed, data: sealed.data.subarray(0, at % sealed.data.length) };
        expect(agreed((primitives) => primitives.aeadOpen(cut))).toBe('decryption-failed');
      }),
    );
  });

  test('a key is what its bytes are at the time of the call', () => {
    fc.assert(
      fc.property(input, bytes(32), (call, other) => {
        fc.pre(agreed(() => other) !== agreed(() => call.key));
        const key = Uint8Array.from(call.key);
        const seal = () => agreed((primitives) => primitives.aeadSeal({ ...call, key }));
        const first = seal();
        key.set(other);
        expect(seal()).toBe(agreed((primitives) => primitives.aeadSeal({ ...call, key: other })));
        key.set(call.key);
        expect(seal()).toBe(first);
      }),
      { numRuns: 40 },
    );
  });

  test('ChaCha20-Poly1305 puts its result where it is told, and nothing there when it fails', () => {
    fc.assert(
      fc.property(input, (call) => {
        for (const { primitives } of providers) {
          const sealed = primitives.aeadSeal(call);
          const opened = { ...call, data: sealed };
          for (const [name, given, result] of [
            ['aeadSeal', call, sealed],
            ['aeadOpen', opened, call.data],
          ] as const) {
            const into = shifted(new Uint8Array(result.length));
            expect(primitives[name]({ ...given, into })).toBe(into);
            expect(Buffer.compare(into, result)).toBe(0);
            expect(new Uint8Array(into.buffer).subarray(0, 3)).toEqual(new Uint8Array(3).fill(0xee));
            for (const length of [result.length - 1, result.length + 1].filter((size) => size >= 0))
              expect(() => primitives[name]({ ...given, into: new Uint8Array(length) })).toThrow(RangeError);
          }
          const untouched = new Uint8Array(call.data.length).fill(7);
          const altered = shifted(sealed);
          altered[0] = (altered[0] as number) ^ 1;
          expect(codeOf(() => primitives.aeadOpen({ ...call, data: altered, into: untouched }))).toBe(
            'decryption-failed',
          );
          expect(untouched.every((byte) => byte === 7)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('ChaCha20-Poly1305 refuses other lengths of key and nonce', () => {
    fc.assert(
      fc.property(input, fc.uint8Array({ maxLength: 40 }), (call, other) => {
        fc.pre(other.length !== 32 && other.length !== 12);
        for (const name of ['aeadSeal', 'aeadOpen'] as const) {
          expect(agreed((primitives) => primitives[name]({ ...call, key: other }))).toBe('bad-key');
          expect(agreed((primitives) => primitives[name]({ ...call, nonce: other }))).toBe('malformed');
        }
      }),
      { numRuns: 30 },
    );
  });
});
