import { expect, test } from 'vitest';
import { jsonLine, terminalLines, terminalText } from '../src/terminal-text.ts';

const MARK = '\u{fffd}';

test.each([
  ['clear screen', '\u001b[2J', `${MARK}[2J`],
  ['set the title', '\u001b]0;x\u0007', `${MARK}]0;x${MARK}`],
  ['C1 introducer', '\u009b31m', `${MARK}31m`],
  ['backspace and delete', 'ab\b\u007f', `ab${MARK}${MARK}`],
  ['right-to-left override', 'a\u202eb', `a${MARK}b`],
  ['isolate', '\u2066a\u2069', `${MARK}a${MARK}`],
  ['marks', '\u200e\u200f\u061c', MARK.repeat(3)],
  ['line and paragraph separators', 'a\u2028b\u2029c', `a${MARK}b${MARK}c`],
  ['zero width space and byte order mark', '\u200b\ufeff', MARK.repeat(2)],
  ['tag characters', 'a\u{e0041}', `a${MARK}`],
  ['half a pair', 'a\ud800b', `a${MARK}b`],
  ['line ends and tabs', 'a\r\nb\nc\td', 'a b c d'],
])('terminalText: %s', (_, text, shown) => {
  expect(terminalText(text)).toBe(shown);
});

test('text of any script and emoji stay', () => {
  const text = 'Straße नमस्ते שלום 👩‍👩‍👧 می‌خواهم';
  expect(terminalText(text)).toBe(text);
});

test('terminalLines splits at every kind of line end', () => {
  expect(terminalLines('a\r\nb\nc\rd\u001b')).toEqual(['a', 'b', 'c', `d${MARK}`]);
});

test('jsonLine loses nothing and writes nothing that steers a terminal', () => {
  const value = { text: 'a\u001b[2J\u009b\u202e\u{e0041}\u2028\ud800é👩' };
  const line = jsonLine(value);
  expect(JSON.parse(line)).toEqual(value);
  expect(terminalText(line)).toBe(line);
});
