import { toHex } from '@keytide/crypto-core';
import { seededRandom } from '@keytide/testkit';

/** Random choices that are the same for the same seed. What the processes make of them is up to the machine. */
export interface Schedule {
  /** A number from `low` up to, not including, `high`. */
  between(low: number, high: number): number;
  /** From `low` to `high`, each order of magnitude as likely as the next: for moments from microseconds to a second. */
  anyScale(low: number, high: number): number;
  pick<T>(choices: readonly T[]): T;
  /** Eight hex characters, for a child's own randomness. */
  seed(): string;
}

/** Prints the seed: the same in each run, but for what `KEYTIDE_SEED` in the environment says. */
export function createSchedule(name: string): Schedule {
  const seed = process.env['KEYTIDE_SEED'] ?? 'the year 2030';
  console.log(`${name}: KEYTIDE_SEED=${seed}`);
  return scheduleOf(`${seed}/${name}`);
}

/** A schedule that prints nothing. */
export function scheduleOf(seed: string): Schedule {
  const random = seededRandom(seed);
  const unit = (): number => new DataView(random(4).buffer).getUint32(0) / 2 ** 32;
  const between = (low: number, high: number): number => low + unit() * (high - low);
  return {
    between,
    anyScale: (low, high) => Math.exp(between(Math.log(low), Math.log(high))),
    pick: (choices) => choices[Math.floor(between(0, choices.length))] as (typeof choices)[number],
    seed: () => toHex(random(4)),
  };
}
