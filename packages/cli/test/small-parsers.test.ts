import { expect, test } from 'vitest';
import { parseDuration } from '../src/duration.ts';
import { displayWidth } from '../src/display-width.ts';
import { nodeProblem } from '../src/node-version.ts';
import { formatTable } from '../src/table.ts';

test.each([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['24h', 86_400_000],
  ['365d', 31_536_000_000],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '24', '0h', '-1h', '1.5h', '366d', '24 h', '1w'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }));
});

test.each([
  ['24.7.0', true],
  ['24.21.0', true],
  ['26.0.0', true],
  ['24.6.0', false],
  ['20.20.2', false],
])('Node %s is new enough: %s', (version, isEnough) => {
  expect(nodeProblem(version) === null).toBe(isEnough);
});

test('a table aligns, shortens and cleans', () => {
  const columns = [
    { heading: 'A', maxWidth: 4 },
    { heading: 'B', maxWidth: 9 },
  ];
  expect(
    formatTable(columns, [
      ['toolong', 'x\u001b'],
      ['ü', ''],
    ]),
  ).toEqual(['A     B', 'too…  x\u{fffd}', 'ü']);
});

test('wide characters and marks count as a terminal shows them', () => {
  expect(displayWidth('ab')).toBe(2);
  expect(displayWidth('e\u0301')).toBe(1);
  expect(displayWidth('日本')).toBe(4);
  expect(formatTable([{ heading: 'A', maxWidth: 4 }], [['日本語']])).toEqual(['A', '日…']);
});
