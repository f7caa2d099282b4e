import type { Primitives, Random } from '@keytide/crypto-core';
import { browserPrimitives, browserRandom } from '@keytide/crypto-core/browser';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import type { SuiteReport } from './checks.ts';
import { portableSuite, type SuiteInput } from './portable-suite.ts';

/** What the test calls in the page. */
interface SuitePage {
  runSuite?: (input: SuiteInput) => Promise<SuiteReport[]>;
}

const libsodium = (random: Random): Promise<Primitives> => browserPrimitives({ random });
const portable = async (random: Random): Promise<Primitives> => portablePrimitives(random);

(globalThis as SuitePage).runSuite = async (input) => [
  await portableSuite(await browserPrimitives(), input, libsodium),
  await portableSuite(portablePrimitives(browserRandom), input, portable),
];
