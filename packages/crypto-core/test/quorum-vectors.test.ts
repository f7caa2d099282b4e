import { describe, expect, test } from 'vitest';
import {
  combineShares,
  examineShares,
  printShare,
  readPrintedShare,
  Secret,
  toHex,
  type RefusedShare,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf, codeOfAsync } from './code-of.ts';
import { copy, verify } from './quorum-world.ts';
import { hex } from './vectors.ts';
import vectors from './vectors/quorum.json' with { type: 'json' };

const secrets = (shares: readonly string[]) => shares.map((share) => Secret.own(hex(share)));
const lines = (refused: readonly RefusedShare[]) =>
  refused.map(({ position, holder, code }) => `${position} ${holder} ${code}`);

describe('quorum vectors', () => {
  for (const { name, set, shares, secret, refused } of vectors.valid)
    test(`gives the secret: ${name}`, async () => {
      const combined = await combineShares(primitives, verify(hex(set), null), secrets(shares));
      expect(toHex(copy(combined.secret))).toBe(secret);
      expect(lines(combined.refused)).toEqual(refused);
    });
  for (const { name, set, shares, refused } of vectors.invalidShares)
    test(`too few shares: ${name}`, async () => {
      const verified = verify(hex(set), null);
      expect(lines(examineShares(primitives, verified, secrets(shares)).refused)).toEqual(refused);
      expect(await codeOfAsync(() => combineShares(primitives, verified, secrets(shares)))).toBe(
        'too-few-shares',
      );
    });
  for (const { name, set, code } of vectors.invalidSets)
    test(`refused set: ${name}`, () => expect(codeOf(() => verify(hex(set), null))).toBe(code));
  for (const { share, text } of vectors.printed)
    test(`printed: ${text.slice(-9)}`, () => {
      expect(printShare(Secret.own(hex(share)))).toBe(text);
      expect(toHex(copy(readPrintedShare(text)))).toBe(share);
    });
});
