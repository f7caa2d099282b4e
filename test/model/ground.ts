import { seededRandom } from '@keytide/testkit';
import type { Primitives, Random } from '@keytide/crypto-core';
import { memoPrimitives } from './memo-primitives.ts';

/** What everybody stands on: the same algorithms, one clock, and randomness that is the same for the same seed. */
export interface Ground {
  readonly primitives: Primitives;
  readonly random: Random;
  nowMs: number;
}

const START_MS = Date.UTC(2030, 0, 1);

export function createGround(seed: string): Ground {
  return { primitives: memoPrimitives(), random: seededRandom(seed), nowMs: START_MS };
}
