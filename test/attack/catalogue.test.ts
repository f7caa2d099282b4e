import { expect, test } from 'vitest';
import { hasTest, nameless, rowsOfPage, rowsOfTests, whole } from './catalogue.ts';

test('the page lists every attack that is tested, and no other', async () => {
  const rows = await rowsOfTests();
  expect(await rowsOfPage()).toEqual(rows);
  expect(new Set(rows).size).toBe(rows.length);
  expect(new Set(rows.map((row) => row.split(' ')[1]))).toHaveProperty('size', 10);
});

test('every attack is one of an item of OWASP', async () => {
  expect(await nameless()).toEqual([]);
});

test('what is not run is not listed', () => {
  for (const word of ['skip', 'skipIf(true)', 'runIf(false)', 'todo', 'only', 'fails'])
    for (const kind of ['describe', 'test', 'it'])
      expect(() => whole('a file', `x();\n${kind}.${word}('a', () => {});`)).toThrow('leaves tests out');
  const text =
    "test('one', () => {});\n  test(\n    'two',\n    () => {},\n  );\n// test('three', …)\nx('four');";
  expect(whole('a file', text)).toBe(text);
  expect(['one', 'two', 'three', 'four', 'on'].map((name) => hasTest(text, name))).toEqual([
    ...[true, true],
    ...[false, false, false],
  ]);
});
