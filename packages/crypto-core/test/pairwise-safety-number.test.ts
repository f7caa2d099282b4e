import { describe, expect, test } from 'vitest';
import { isSameSafetyNumber, safetyNumber, type Primitives } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { codeOf } from './code-of.ts';
import { orgOf } from './pairwise-world.ts';
import { seededRandom } from './seeded-random.ts';

const org = orgOf('safety');
const random = seededRandom('safety');
const [phone, laptop, other, swapped] = [random(32), random(32), random(32), random(32)] as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

const providers: Primitives[] = [nodePrimitives, portablePrimitives(random)];

describe.each(providers)('safety number on $name', (primitives) => {
  const mine = safetyNumber(primitives, org, [phone, laptop], [other]);
  const theirs = safetyNumber(primitives, org, [other], [laptop, phone]);

  test('is 60 digits, the same on both sides', () => {
    expect(mine.digits).toMatch(/^\d{5}( \d{5}){11}$/);
    expect(theirs.digits).toBe(mine.digits);
  });
  test('scans on both sides, and what one shows is not what the other shows', () => {
    expect(isSameSafetyNumber(mine, theirs.scannable)).toBe(true);
    expect(isSameSafetyNumber(theirs, mine.scannable)).toBe(true);
    expect(isSameSafetyNumber(mine, mine.scannable)).toBe(false);
  });
  test.each([
    ['a swapped key', [phone, laptop], [swapped], org],
    ['a device more', [phone, laptop, swapped], [other], org],
    ['a device less', [phone], [other], org],
    ['another organisation', [phone, laptop], [other], orgOf('elsewhere')],
  ])('differs for %s', (_why, own, peer, where) => {
    const changed = safetyNumber(primitives, where, own, peer);
    expect(changed.digits).not.toBe(mine.digits);
    expect(isSameSafetyNumber(changed, theirs.scannable)).toBe(false);
  });
  test('refuses what is not a set of keys, or not a scan', () => {
    expect(codeOf(() => safetyNumber(primitives, org, [], [other]))).toBe('malformed');
    expect(codeOf(() => safetyNumber(primitives, org, [phone, phone], [other]))).toBe('malformed');
    expect(codeOf(() => safetyNumber(primitives, org, [phone.subarray(1)], [other]))).toBe('malformed');
    expect(codeOf(() => isSameSafetyNumber(mine, mine.scannable.subarray(1)))).not.toBeNull();
    expect(codeOf(() => isSameSafetyNumber(mine, mine.scannable.slice(0, -1)))).toBe('malformed');
    expect(codeOf(() => isSameSafetyNumber(mine, Uint8Array.of(2, ...mine.scannable.slice(1))))).toBe(
      'unsupported-version',
    );
  });
});
