import type { Random } from '@keytide/crypto-core';

/**
 * Two-sided geometric noise: y with a probability proportional to exp(-|y| · epsilon / sensitivity), in whole numbers
 * throughout (Canonne, Kamath and Steinke, The Discrete Gaussian for Differential Privacy, 2020, algorithms 1 and 2):
 * floating point would show in the last bits what was added to (Mironov, 2012).
 * `sensitivity` is at most 2^38.
 */
export function geometricNoise(random: Random, epsilonMilli: number, sensitivity: number): number {
  const scale = sensitivity * 1000;
  for (;;) {
    const part = uniform(random, scale);
    if (!isExp(random, part, scale)) continue;
    let turns = 0;
    while (isExp(random, 1, 1)) turns += 1;
    const size = part + scale * turns;
    const value = (size - (size % epsilonMilli)) / epsilonMilli;
    const isNegative = uniform(random, 2) === 1;
    if (isNegative && value === 0) continue;
    return isNegative ? -value : value;
  }
}

/** True with the probability exp(-over / under), for a quotient up to 1. */
function isExp(random: Random, over: number, under: number): boolean {
  let draws = 1;
  while (uniform(random, under) < over && uniform(random, draws) === 0) draws += 1;
  return draws % 2 === 1;
}

/** A whole number from 0 to under `limit`, each as likely; `limit` is at most 2^48. */
function uniform(random: Random, limit: number): number {
  const end = 2 ** 48 - (2 ** 48 % limit);
  for (;;) {
    const value = random(6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (value < end) return value % limit;
  }
}
