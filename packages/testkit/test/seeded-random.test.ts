import { toHex } from '@keytide/crypto-core';
import { seededRandom } from '@keytide/testkit';
import { expect, test } from 'vitest';

test('the same seed gives the same bytes, another gives others', () => {
  const take = (seed: string): string => {
    const random = seededRandom(seed);
    return [1, 32, 100].map((sizeBytes) => toHex(random(sizeBytes))).join(' ');
  };
  expect(take('a')).toBe(take('a'));
  expect(take('a')).not.toBe(take('b'));
});

test('gives as many bytes as asked for, and never the same again', () => {
  const random = seededRandom('sizes');
  expect([0, 1, 31, 32, 33, 1000].map((sizeBytes) => random(sizeBytes).length)).toEqual([
    0, 1, 31, 32, 33, 1000,
  ]);
  const seen = new Set(Array.from({ length: 500 }, () => toHex(random(32))));
  expect(seen.size).toBe(500);
});
