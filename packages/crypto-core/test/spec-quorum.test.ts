import { describe, expect, test } from 'vitest';
import { combineShares, dealQuorum, printShare, readPrintedShare, Secret, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { copy, dealInput, newSecret, verify } from './quorum-world.ts';
import { specExample, specPage } from './spec-page.ts';
import { filled } from './spec-world.ts';

describe('docs/spec/quorum.md', () => {
  const example = (name: string) => specExample('quorum', name);
  const printed = (specPage('quorum').split('```text printed\n')[1] ?? '').split('\n```')[0] ?? '';

  test('set and share are what is written for these inputs', async () => {
    let drawn = 0xb0;
    const random = (sizeBytes: number) => {
      drawn += 1;
      return filled(drawn - 1, sizeBytes);
    };
    const dealt = await dealQuorum(dealInput({ random, threshold: 2, holders: ['Ana', 'Bram', 'Chidi'] }));
    expect(toHex(dealt.set)).toBe(toHex(example('set')));
    const bram = dealt.shares[1]?.share as Secret;
    expect(toHex(copy(bram))).toBe(toHex(example('share')));
    expect(printShare(bram)).toBe(printed.replaceAll('\n', ' '));
    expect(verify(example('set'), null).hash).toEqual(example('set-hash'));
  });
  test("the example opens: Ana's share, and Bram's from print", async () => {
    const ana = new Uint8Array([1, ...filled(0xb0, 16), 1, ...filled(0xb2, 16), ...filled(0xb1, 32)]);
    const shares = [Secret.own(ana), readPrintedShare(printed)];
    const { secret } = await combineShares(primitives, verify(example('set'), null), shares);
    expect(secret.equals(newSecret())).toBe(true);
  });
  test('f(2) of the example, computed by hand over GF(2^8)', () => {
    // M = 2: f(x) = s + x·(s + f(1)); doubling in the field is a shift, reduced by 1b.
    const double = (byte: number) => ((byte << 1) ^ (byte & 0x80 ? 0x11b : 0)) & 0xff;
    expect(example('share')[65]).toBe(0x5e ^ double(0x5e ^ 0xb1));
  });
});
