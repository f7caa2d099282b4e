import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hkdf, hkdfExpand, type AeadInput } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { createHash, createHmac } from 'node:crypto';
import { codeOf } from './code-of.ts';
import { loadSodium } from './sodium.ts';
import { vectors } from './vectors.ts';

const sodium = await loadSodium();
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe('SHA-256, HMAC and HKDF', () => {
  /** Short, and around the size from which HMAC takes memory of its own. */
  const anySize = fc.oneof(bytes(300), fc.integer({ min: 1010, max: 1040 }).map(nodeRandom));
  test.each(vectors('sha256'))('$source', (vector) => {
    expect(primitives.sha256(vector.bytes('data'))).toEqual(vector.bytes('hash'));
  });
  test.each(vectors('hmacSha256'))('$source', (vector) => {
    expect(primitives.hmacSha256(vector.bytes('key'), vector.bytes('data'))).toEqual(vector.bytes('tag'));
  });
  test.each(vectors('hkdf'))('$source', (vector) => {
    const output = vector.bytes('output');
    const [salt, keyMaterial, info] = [
      vector.bytes('salt'),
      vector.bytes('keyMaterial'),
      vector.bytes('info'),
    ];
    expect(hkdf(primitives, { salt, keyMaterial, info, sizeBytes: output.length })).toEqual(output);
  });
  test('HMAC from one-shot hashes equals the library call, for keys below, at and above a block', () => {
    fc.assert(
      fc.property(bytes(130), anySize, (key, data) => {
        expect(primitives.hmacSha256(key, data)).toEqual(
          new Uint8Array(createHmac('sha256', key).update(data).digest()),
        );
      }),
    );
  });
  test('SHA-256 in one shot equals the hash object', () => {
    fc.assert(
      fc.property(anySize, (data) => {
        expect(primitives.sha256(data)).toEqual(new Uint8Array(createHash('sha256').update(data).digest()));
      }),
    );
  });
  test('HKDF refuses more than 255 blocks', () => {
    const key = new Uint8Array(32);
    expect(hkdfExpand(primitives, key, key, 255 * 32)).toHaveLength(8160);
    for (const size of [255 * 32 + 1, -1, 16.5, Number.NaN, undefined as never])
      expect(codeOf(() => hkdfExpand(primitives, key, key, size))).toBe('malformed');
  });
});

describe('ChaCha20-Poly1305', () => {
  test.each(vectors('chacha20Poly1305'))('$source', (vector) => {
    const [key, nonce, associated] = [vector.bytes('key'), vector.bytes('nonce'), vector.bytes('associated')];
    const [plaintext, sealed] = [vector.bytes('plaintext'), vector.bytes('sealed')];
    expect(primitives.aeadSeal({ key, nonce, associated, data: plaintext })).toEqual(sealed);
    expect(primitives.aeadOpen({ key, nonce, associated, data: sealed })).toEqual(plaintext);
  });

  test('equals libsodium on both sides of the size at which the implementation changes', () => {
    fc.assert(
      fc.property(
        exactly(32),
        exactly(12),
        bytes(64),
        fc.oneof(bytes(200), fc.integer({ min: 4080, max: 4110 }).map(nodeRandom)),
        (key, nonce, associated, data) => {
          const sealed = primitives.aeadSeal({ key, nonce, associated, data });
          const theirs = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(data, associated, null, nonce, key);
          expect(sealed).toEqual(theirs);
          expect(primitives.aeadOpen({ key, nonce, associated, data: sealed })).toEqual(data);
        },
      ),
    );
  });

  test.each([100, 5000])('%i bytes: one altered bit anywhere is one and the same failure', (size) => {
    const sealing = { key: nodeRandom(32), nonce: nodeRandom(12), associated: nodeRandom(20) };
    const good: AeadInput = { ...sealing, data: primitives.aeadSeal({ ...sealing, data: nodeRandom(size) }) };
    fc.assert(
      fc.property(
        fc.constantFrom('key', 'nonce', 'associated', 'data'),
        fc.nat(),
        fc.nat(7),
        (field, at, bit) => {
          const altered = good[field].slice();
          const index = at % altered.length;
          altered[index] = (altered[index] as number) ^ (1 << bit);
          expect(codeOf(() => primitives.aeadOpen({ ...good, [field]: altered }))).toBe('decryption-failed');
        },
      ),
    );
    expect(codeOf(() => primitives.aeadOpen({ ...good, data: good.data.subarray(0, 15) }))).toBe(
      'decryption-failed',
    );
  });

  test('refuses keys and nonces of other lengths', () => {
    const input = {
      key: new Uint8Array(32),
      nonce: new Uint8Array(12),
      associated: new Uint8Array(0),
      data: new Uint8Array(20),
    };
    for (const call of [primitives.aeadSeal, primitives.aeadOpen]) {
      expect(codeOf(() => call({ ...input, key: new Uint8Array(31) }))).toBe('bad-key');
      expect(codeOf(() => call({ ...input, nonce: new Uint8Array(24) }))).toBe('malformed');
    }
  });
});
