import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeUtf8, encodeUtf8 } from '../src/utf8.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

test('a text of any length comes back as it was, also where a character lies across two pieces', () => {
  for (const length of [0, 1, 4095, 4096, 4097, 8191, 8192, 20_000]) {
    for (const text of ['x'.repeat(length), `${'x'.repeat(length)}😀é`]) {
      expect(decodeUtf8(encodeUtf8(text) as Uint8Array)).toBe(text);
    }
  }
});

test('bytes are text exactly where the platform says so, and the same text', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, (some) => {
      let expected: string | null;
      try {
        expected = strict.decode(some);
      } catch {
        expected = null;
      }
      expect(decodeUtf8(some)).toBe(expected);
    }),
    { seed: 3629, numRuns: 2000 },
  );
});
