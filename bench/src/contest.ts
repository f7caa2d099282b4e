/** Runs `work` with the clock on and gives its result; whatever a round does outside is not measured. */
export type Time = <T>(work: () => T | Promise<T>) => Promise<T>;

/** One side of a comparison. A round calls `time` once, and throws unless the timed work came out right. */
export interface Contestant {
  readonly name: string;
  round(time: Time): Promise<void>;
}

/** How long each round took, in ms, by contestant; place i of all lists is the same round. */
export type Samples = Readonly<Record<string, readonly number[]>>;

/** How to run a contest. `now` in ms; a random order, so that no side always comes after the same other. */
export interface ContestOptions {
  readonly rounds: number;
  /** Rounds before the first that counts: caches and compilers are warm for every side. */
  readonly warmUps: number;
  readonly now: () => number;
}

/** Lets every contestant do its round in every round, in a new random order each time. Runs on any runtime. */
export async function contest(
  contestants: readonly Contestant[],
  { rounds, warmUps, now }: ContestOptions,
): Promise<Samples> {
  const samples: Record<string, number[]> = {};
  for (const { name } of contestants) samples[name] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const { name, round: play } of shuffled(contestants)) {
      let taken = -1;
      await play(async (work) => {
        const start = now();
        const result = await work();
        taken = now() - start;
        return result;
      });
      if (taken < 0) throw new Error(`${name} timed nothing`);
      if (round >= 0) (samples[name] as number[]).push(taken);
    }
  }
  return samples;
}

/** The same items in a random order. */
export function shuffled<T>(items: readonly T[]): T[] {
  const order = items.slice();
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}
