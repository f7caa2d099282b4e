import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeCbor, encodeCbor, toHex, type CborValue } from '@keytide/crypto-core';
import { codeOf } from './code-of.ts';
import { hex } from './vectors.ts';

/** The short, obvious way to be strict: decode with a library, encode again, compare. */
function twinDecode(bytes: Uint8Array): CborValue | 'refused' {
  try {
    const value = decode(bytes, {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowInfinity: false,
      allowNaN: false,
      allowBigInt: false,
      rejectDuplicateMapKeys: true,
    }) as CborValue;
    const isOurs = !hasLargeNumber(value) && toHex(twinEncode(value)) === toHex(bytes);
    return isOurs ? value : 'refused';
  } catch {
    return 'refused';
  }
}

/** Integers outside the safe range, which the library writes as floats. */
function hasLargeNumber(value: CborValue): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return false;
  return Object.values(value).some(hasLargeNumber);
}

const twinEncode = (value: CborValue): Uint8Array => new Uint8Array(encode(value, rfc8949EncodeOptions));

/** Below it, the library's shortest form is longer than that of RFC 8949 §4.2.2, which `cbor-float` is tested with. */
const SMALLEST_NORMAL_HALF = 2 ** -14;

const key = fc.string({ unit: 'binary', maxLength: 30 }).filter((text) => text !== '__proto__');
const anyFraction = fc
  .oneof(
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.float({ noDefaultInfinity: true, noNaN: true }),
  )
  .filter((number) => !Number.isInteger(number) && Math.abs(number) >= SMALLEST_NORMAL_HALF);
const value: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.maxSafeInteger().map((number) => number + 0),
    fc.integer({ min: -300, max: 70_000 }),
    anyFraction,
    fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.startsWith('\ufeff')),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

describe('the CBOR of this package and a library', () => {
  test('encode the same', () => {
    fc.assert(
      fc.property(value, (original) => {
        expect(toHex(encodeCbor(original))).toBe(toHex(twinEncode(original)));
      }),
      { numRuns: 500 },
    );
  });

  test('accept and refuse the same, also altered and cut', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
    fc.assert(
      fc.property(value, fc.array(change, { maxLength: 3 }), fc.nat(8), (original, changes, cut) => {
        const whole = encodeCbor(original);
        for (const { at, byte } of changes) whole[at % whole.length] = byte;
        const bytes = cut === 1 ? whole.subarray(0, -1) : whole;
        const { ours, theirs } = verdicts(bytes);
        expect(ours).toEqual(theirs);
      }),
      { numRuns: 2000 },
    );
  });

  test('accept and refuse the same among random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const { ours, theirs } = verdicts(bytes);
        expect(ours).toEqual(theirs);
      }),
      { numRuns: 10_000 },
    );
  });

  test('accept and refuse the same among all inputs of one and two bytes', () => {
    const all = Array.from({ length: 0x10000 }, (_, bits) => Uint8Array.of(bits >> 8, bits & 0xff));
    const short = Array.from({ length: 0x100 }, (_, byte) => Uint8Array.of(byte));
    const different = [...short, ...all].map(verdicts).filter(({ ours, theirs }) => !same(ours, theirs));
    expect(different).toEqual([]);
  });

  test('agree on every half-precision number', () => {
    const all = Array.from({ length: 0x10000 }, (_, bits) => Uint8Array.of(0xf9, bits >> 8, bits & 0xff));
    const different = all.map(verdicts).filter(({ ours, theirs }) => !same(ours, theirs));
    expect(different).toEqual([]);
  });
});

describe('where this package is stricter or kinder than the library', () => {
  test('a lone surrogate is refused, not replaced', () => {
    expect(codeOf(() => encodeCbor('\ud800'))).toBe('malformed');
    expect(codeOf(() => encodeCbor({ '\udc00': 1 }))).toBe('malformed');
  });

  test('the smallest numbers have two bytes too', () => {
    for (let fraction = 1; fraction < 1024; fraction += 1) {
      const bytes = Uint8Array.of(0xf9, fraction >> 8, fraction & 0xff);
      expect(decodeCbor(bytes, 3)).toBe(fraction * 2 ** -24);
      expect(toHex(encodeCbor(fraction * 2 ** -24))).toBe(toHex(bytes));
    }
  });

  test('a byte order mark at the start of a text is text', () => {
    expect(decodeCbor(hex('64efbbbf78'), 5)).toBe('\ufeffx');
  });

  test.each([
    ['an overlong slash', '62c0af'],
    ['a surrogate', '63eda080'],
    ['beyond the last code point', '64f4908080'],
    ['a continuation byte alone', '6180'],
    ['a text cut in a character', '61c3'],
    ['a first byte that no character has', '64f8908080'],
    ['another overlong form', '63e08080'],
  ])('refuses %s', (_, bytes) => {
    expect(codeOf(() => decodeCbor(hex(bytes), 10))).toBe('malformed');
  });

  test('64 levels are the most', () => {
    const nested = (levels: number): CborValue => (levels === 0 ? 1 : [nested(levels - 1)]);
    const bytes = encodeCbor(nested(64));
    expect(decodeCbor(bytes, 100)).toEqual(nested(64));
    expect(codeOf(() => encodeCbor(nested(65)))).toBe('malformed');
    expect(codeOf(() => decodeCbor(hex(`81${toHex(bytes)}`), 100))).toBe('malformed');
    expect(codeOf(() => decodeCbor(new Uint8Array(1_000_000).fill(0x81), 1_000_000))).toBe('malformed');
  });

  test.each(['9affffffff', 'baffffffff', '5affffffff', '9b001fffffffffffff'])(
    'believes no count beyond the input: %s',
    (bytes) => {
      expect(codeOf(() => decodeCbor(hex(bytes), 100))).toBe('malformed');
    },
  );
});

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What both say about these bytes. */
function verdicts(bytes: Uint8Array) {
  let ours: CborValue | 'refused' = 'refused';
  const code = codeOf(() => (ours = decodeCbor(bytes, bytes.length)));
  // A byte order mark, the key __proto__ and the smallest numbers are where they differ, as tested above.
  const isKnown = /efbbbf|5f5f70726f746f5f5f|f9[08][0-3]/.test(toHex(bytes));
  return {
    ours: { bytes: toHex(bytes), value: ours, code: code ?? 'malformed' },
    theirs: { bytes: toHex(bytes), value: isKnown ? ours : twinDecode(bytes), code: 'malformed' },
  };
}
