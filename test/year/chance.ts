import { seededRandom } from '@keytide/testkit';

/** What happens to happen: the same for the same seed. */
export interface Chance {
  /** A number from 0 up to 1. */
  share(): number;
  /** Whether something happens that does so this often. */
  happens(share: number): boolean;
  pick<T>(list: readonly T[]): T | undefined;
}

export function createChance(seed: string): Chance {
  const random = seededRandom(`${seed} chance`);
  const share = (): number => Buffer.from(random(4)).readUInt32BE() / 2 ** 32;
  return {
    share,
    happens: (often) => share() < often,
    pick: (list) => list[Math.floor(share() * list.length)],
  };
}
