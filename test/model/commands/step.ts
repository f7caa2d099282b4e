import fc from 'fast-check';
import type { World } from '../world.ts';

/** Looks whether everybody reads what they should, after a command. */
export type Check = (world: World) => void;

/** A command made of what it does; which phone a number stands for is seen when it runs. */
export class Step implements fc.AsyncCommand<Check, World, true> {
  readonly #name: string;
  readonly #run: (world: World) => Promise<unknown>;

  constructor(name: string, run: (world: World) => Promise<unknown>) {
    this.#name = name;
    this.#run = run;
  }

  async check(): Promise<boolean> {
    return true;
  }

  async run(check: Check, world: World): Promise<void> {
    await this.#run(world);
    check(world);
  }

  toString(): string {
    return this.#name;
  }
}

/** Commands of one kind, from a few numbers. */
export function step<T>(
  name: string,
  numbers: fc.Arbitrary<T>,
  run: (world: World, numbers: T) => Promise<unknown>,
): fc.Arbitrary<Step> {
  return numbers.map((given) => new Step(`${name}${JSON.stringify(given)}`, (world) => run(world, given)));
}

/** A number that stands for one of whatever there is. */
export const some: fc.Arbitrary<number> = fc.nat(999);
