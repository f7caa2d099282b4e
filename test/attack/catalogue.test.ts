import { expect, test } from 'vitest';
import { nameless, rowsOfPage, rowsOfTests } from './catalogue.ts';

test('the page lists every attack that is tested, and no other', async () => {
  const rows = await rowsOfTests();
  expect(await rowsOfPage()).toEqual(rows);
  expect(new Set(rows).size).toBe(rows.length);
  expect(new Set(rows.map((row) => row.split(' ')[1]))).toHaveProperty('size', 10);
});

test('every attack is one of an item of OWASP', async () => {
  expect(await nameless()).toEqual([]);
});
