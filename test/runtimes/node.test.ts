import { describe, expect, test } from 'vitest';
import type { Primitives, Random } from '@keytide/crypto-core';
import { browserPrimitives } from '@keytide/crypto-core/browser';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { portableSuite } from './portable-suite.ts';
import { reportProblems } from './report-problems.ts';
import { readSuiteInput } from './suite-input.ts';

const input = readSuiteInput();
const portable = async (random: Random): Promise<Primitives> => portablePrimitives(random);
const libsodium = (random: Random): Promise<Primitives> => browserPrimitives({ random });

describe('the portable suite on Node', () => {
  test('node:crypto', async () => {
    expect(await reportProblems(await portableSuite(nodePrimitives, input, null), 'node')).toEqual([]);
  });
  test('plain JavaScript', async () => {
    expect(
      await reportProblems(await portableSuite(await portable(nodeRandom), input, portable), 'portable'),
    ).toEqual([]);
  });
  test('libsodium', async () => {
    expect(
      await reportProblems(await portableSuite(await libsodium(nodeRandom), input, libsodium), 'libsodium'),
    ).toEqual([]);
  });
  test('tells a wrong byte', async () => {
    const broken: Primitives = {
      ...nodePrimitives,
      sha256: (data) => nodePrimitives.sha256(data).fill(0, 31),
    };
    const report = await portableSuite(broken, input, null);
    expect(report.failed.some((line) => line.startsWith('sha256 0'))).toBe(true);
    expect(report.failed.some((line) => line.startsWith('envelope'))).toBe(true);
  });
});
