import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  asciiBytes,
  fromBase64Url,
  fromHex,
  pad,
  padmeSize,
  readUint64,
  Secret,
  toBase64Url,
  toHex,
  uint64Bytes,
  unpad,
} from '@keytide/crypto-core';
import { codeOf } from './code-of.ts';

const bytes = fc.uint8Array({ maxLength: 400 });

describe('hex, base64url and integers', () => {
  test('round trip', () => {
    fc.assert(
      fc.property(bytes, fc.maxSafeNat(), (data, number) => {
        expect(fromHex(toHex(data))).toEqual(data);
        expect(fromBase64Url(toBase64Url(data))).toEqual(data);
        expect(toBase64Url(data)).toBe(Buffer.from(data).toString('base64url'));
        expect(readUint64(uint64Bytes(number), 0)).toBe(number);
      }),
    );
  });
  test('other spellings are refused', () => {
    for (const text of ['0', 'AB', 'zz', '0x00', ' 00']) expect(fromHex(text)).toBeNull();
    for (const text of ['A', 'AA==', 'A+', 'A/', 'AB', 'A A']) expect(fromBase64Url(text)).toBeNull();
    expect(readUint64(new Uint8Array(8).fill(0xff), 0)).toBeNull();
    expect(readUint64(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0), 0)).toBeNull();
  });
});

describe('PADMÉ', () => {
  test('round trip, at most 12 % longer, and few sizes', () => {
    fc.assert(
      fc.property(bytes, (content) => {
        const padded = pad(content);
        expect(unpad(padded)).toEqual(content);
        expect(padded.length).toBe(padmeSize(4 + content.length));
        expect(padded.length).toBeLessThanOrEqual((4 + content.length) * 1.12);
      }),
    );
    const sizes = new Set(Array.from({ length: 100_000 }, (_, size) => padmeSize(size + 4)));
    expect(sizes.size).toBeLessThan(200);
  });
  test('sizes of the paper', () => {
    expect([9, 100, 1000, 1025, 100_000].map(padmeSize)).toEqual([10, 104, 1024, 1088, 100_352]);
  });
  test('is the same where an engine approximates logarithms', () => {
    const sizes = Array.from({ length: 40 }, (_, exponent) =>
      [-1, 0, 1].map((by) => 2 ** (exponent + 1) + by),
    )
      .flat()
      .filter((size) => size >= 2);
    const exact = sizes.map(padmeSize);
    const spy = vi.spyOn(Math, 'log2').mockImplementation((value) => Math.log(value) / Math.LN2 - 1e-9);
    try {
      expect(sizes.map(padmeSize)).toEqual(exact);
    } finally {
      spy.mockRestore();
    }
    const padding = sizes.map((size, at) => ((exact[at] as number) - size) / size);
    expect(Math.max(...padding)).toBeLessThan(0.12);
  });
  test('refuses padding that `pad` would not make', () => {
    const padded = pad(new Uint8Array(100).fill(7));
    expect(padded.length).toBe(104);
    const longer = pad(new Uint8Array(99).fill(7));
    const dirty = longer.slice();
    dirty[dirty.length - 1] = 1;
    const tooFar = longer.slice();
    tooFar[3] = 255;
    const nothing = new Uint8Array(3);
    for (const wrong of [dirty, tooFar, nothing, padded.subarray(0, 103), new Uint8Array(104)])
      expect(codeOf(() => unpad(wrong))).toBe('malformed');
  });
});

describe('Secret', () => {
  test('does not print, compares, and is gone after dispose', () => {
    const secret = Secret.own(asciiBytes('correct horse'));
    expect(`${secret} ${JSON.stringify({ secret })}`).not.toContain('correct');
    expect(secret.equals(Secret.own(asciiBytes('correct horse')))).toBe(true);
    expect(secret.equals(Secret.own(asciiBytes('correct house')))).toBe(false);
    const lent = secret.use((own) => own);
    secret.dispose();
    expect(lent).toEqual(new Uint8Array(13));
    expect(codeOf(() => secret.use((own) => own))).toBe('disposed');
  });
});
