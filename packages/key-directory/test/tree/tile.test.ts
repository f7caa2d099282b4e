import { entryBundle, parseEntryBundle, parseTilePath, tilePath } from '@keytide/key-directory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeFrom } from '../forge.ts';

describe('the path of a tile', () => {
  test('is read back, and every other form is refused', () => {
    const levels = fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 }));
    const indexes = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.maxSafeNat());
    const names = fc.record({ level: levels, index: indexes, width: fc.integer({ min: 1, max: 256 }) });
    fc.assert(
      fc.property(names, (name) => {
        expect(parseTilePath(tilePath(name))).toEqual(name);
      }),
      { seed: 1 },
    );
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe('tile/0/x001/x234/067');
    expect(tilePath({ level: 'entries', index: 0, width: 8 })).toBe('tile/entries/000.p/8');
  });

  test.each([
    'tile/0/x000/067', // a leading group of zeros
    'tile/0/1234', // not in groups of three
    'tile/0/67', // not padded
    'tile/0/001/x234', // the x in the wrong place
    'tile/00/000',
    'tile/64/000', // no such level
    'tile/-1/000',
    'tile/0/000.p/0', // an empty tile is not served
    'tile/0/000.p/256', // a full tile has no width
    'tile/0/000.p/257',
    'tile/0/000.p/08',
    'tile/0/000.p/',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/000\n',
    'tile/data/000',
    'tile/0/x009/x007/x199/x254/x740/992', // above 2^53
    'tile/0/x999/x999/x999/x999/x999/999',
  ])('%s is none', (path) => {
    expect(parseTilePath(path)).toBe(null);
  });
});

describe('a bundle of entries', () => {
  test('is read back, cut nowhere else, and has its count', () => {
    const wires = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(wires, (entries) => {
        const bundle = entryBundle(entries);
        expect(parseEntryBundle(bundle, entries.length)).toEqual(entries);
        const code = (bytes: Uint8Array, width = entries.length): string | null =>
          codeFrom(() => parseEntryBundle(bytes, width));
        expect(code(bundle, entries.length + 1)).toBe('malformed');
        expect(code(bundle.slice(0, -1))).toBe('malformed');
        expect(code(Uint8Array.of(...bundle, 0))).toBe('malformed');
        expect(code(Uint8Array.of(...bundle, 0, 0))).toBe('malformed');
      }),
      { numRuns: 50, seed: 2 },
    );
  });

  test('takes entries up to 65,535 bytes, and 1 to 256 of them', () => {
    const longest = new Uint8Array(65_535).fill(7);
    expect(parseEntryBundle(entryBundle([longest]), 1)).toEqual([longest]);
    expect(codeFrom(() => entryBundle([new Uint8Array(65_536)]))).toBe('too-large');
    const many = (count: number): Uint8Array[] => Array.from({ length: count }, () => Uint8Array.of(1));
    expect(parseEntryBundle(entryBundle(many(256)), 256)).toHaveLength(256);
    expect(codeFrom(() => entryBundle(many(257)))).toBe('malformed');
    expect(codeFrom(() => entryBundle([]))).toBe('malformed');
    for (const width of [0, 257, 1.5])
      expect(codeFrom(() => parseEntryBundle(new Uint8Array(0), width))).toBe('malformed');
  });
});
