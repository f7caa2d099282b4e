import { assertHandle, isNormalisedHandle } from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { codeFrom } from './forge.ts';

const codeOf = (handle: string): string | null => codeFrom(() => assertHandle(handle));

describe('a handle', () => {
  test.each([
    'a',
    'Ada Lovelace',
    'Zoë',
    "O'Brien-Smith (night shift)",
    'မောင်မောင်',
    'علی‌رضا', // with a zero-width non-joiner, as it is spelt
    'क्‍ष',
    '陳大文',
    '👩‍🚒 crew 7',
    '𞤀𞤣𞤤𞤢𞤥',
    'x'.repeat(64),
    '🚑'.repeat(64),
  ])('%s is fine', (handle) => {
    expect(codeOf(handle)).toBe(null);
  });

  test.each([
    ['nothing', ''],
    ['65 characters', 'x'.repeat(65)],
    ['65 characters outside the basic plane', '🚑'.repeat(65)],
    ['a space at the start', ' ada'],
    ['a space at the end', 'ada '],
    ['a tab', 'a\tda'],
    ['a line feed', 'ada\nroot'],
    ['an escape sequence', 'ada\u001b[31m'],
    ['a C1 control', 'ada\u009b31m'],
    ['delete', 'ada\u007f'],
    ['a no-break space', 'a\u00a0da'],
    ['a soft hyphen', 'a\u00adda'],
    ['a right-to-left override', '\u202eada'],
    ['a left-to-right isolate', '\u2066ada\u2069'],
    ['a direction mark', 'ada\u200f'],
    ['an Arabic letter mark', 'ada\u061c'],
    ['a zero-width space', 'a\u200bda'],
    ['a byte order mark', '\ufeffada'],
    ['a line separator', 'a\u2028da'],
    ['an ideographic space', 'a\u3000da'],
    ['a Hangul filler', 'a\u3164'],
    ['a tag character', 'ada\u{e0061}'],
    ['private use', 'ada\ue000'],
    ['a lone surrogate', 'ada\ud800'],
    ['a joiner between Latin letters', 'a\u200dda'],
    ['a joiner at the start', '\u200cعلی'],
    ['a joiner at the end', 'علی\u200c'],
  ])('with %s is refused', (_, handle) => {
    expect(codeOf(handle)).toBe('bad-handle');
  });

  test('is asked for in normalisation form C where it is written', () => {
    expect(isNormalisedHandle('Zo\u00eb')).toBe(true);
    expect(isNormalisedHandle('Zoe\u0308')).toBe(false);
  });
});
