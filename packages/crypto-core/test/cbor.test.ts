import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeCbor, encodeCbor, toHex, type CborValue } from '@keytide/crypto-core';
import { codeOf } from './code-of.ts';
import { hex } from './vectors.ts';

const value: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.maxSafeInteger(),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

describe('CBOR', () => {
  test('gives byte strings that share no memory with the input, also of a Buffer', () => {
    const input = Buffer.from(encodeCbor([Uint8Array.of(1, 2, 3)]));
    const decoded = decodeCbor(input, 100);
    input.fill(0);
    expect(decoded).toEqual([Uint8Array.of(1, 2, 3)]);
  });
  test('gives back what was encoded, and only one encoding of it', () => {
    fc.assert(
      fc.property(value, (original) => {
        const bytes = encodeCbor(original);
        const decoded = decodeCbor(bytes, bytes.length);
        expect(toHex(encodeCbor(decoded))).toBe(toHex(bytes));
        expect(decoded).toEqual(original);
      }),
    );
  });

  test('altered input is refused with a code or is another valid encoding, never anything else', () => {
    fc.assert(
      fc.property(
        value,
        fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        (original, changes, cut) => {
          const bytes = encodeCbor(original);
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          const input = cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
          let again = '';
          const code = codeOf(() => (again = toHex(encodeCbor(decodeCbor(input, 1_000_000)))));
          expect([code, again]).toEqual(code === null ? [null, toHex(input)] : ['malformed', '']);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('random bytes never surprise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect([null, 'malformed']).toContain(codeOf(() => decodeCbor(bytes, 64)));
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['trailing bytes', '0000'],
    ['an integer that is not in its shortest form', '1800'],
    ['a length that is not in its shortest form', '580100'],
    ['an indefinite byte string', '5f4100ff'],
    ['an indefinite array', '9fff'],
    ['duplicate keys', 'a2616100616101'],
    ['keys out of order', 'a2616200616100'],
    ['a tag', 'c100'],
    ['the key __proto__', 'a1695f5f70726f746f5f5fa0'],
    ['the key __proto__ with a number', 'a1695f5f70726f746f5f5f01'],
    ['undefined', 'f7'],
    ['NaN', 'f97e00'],
    ['infinity', 'f97c00'],
    ['minus zero', 'f98000'],
    ['a float for an integer', 'f93c00'],
    ['an integer beyond 2^53', '1b0020000000000000'],
    ['text that is not UTF-8', '61ff'],
    ['a map key that is not text', 'a10000'],
    ['nothing', ''],
    ['a cut array', '8200'],
    ['an array that claims 2^32 items', '9affffffff'],
    ['an unassigned simple value', 'e0'],
  ])('refuses %s', (_, bytes) => {
    expect(codeOf(() => decodeCbor(hex(bytes), 100))).toBe('malformed');
  });

  test('refuses nesting that would exhaust the stack', () => {
    expect(codeOf(() => decodeCbor(new Uint8Array(200_000).fill(0x81), 1_000_000))).toBe('malformed');
  });

  test('looks at nothing that is over the limit', () => {
    expect(codeOf(() => decodeCbor(hex('820000'), 2))).toBe('too-large');
    expect(decodeCbor(hex('820000'), 3)).toEqual([0, 0]);
  });

  test.each([[undefined], [Number.NaN], [Infinity], [2 ** 53], [1n], [() => 0], [new Date(0)], [new Map()]])(
    'does not encode %s',
    (unfit) => {
      expect(codeOf(() => encodeCbor([unfit as unknown as CborValue]))).toBe('malformed');
    },
  );
});
