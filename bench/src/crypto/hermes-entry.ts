import type { Random } from '@keytide/crypto-core';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { contest, type Samples } from '../contest.ts';
import { makePayloads } from './messenger.ts';
import { receivers, type HandedOver } from './receive.ts';
import { makeSealer, makeWorld } from './world.ts';

/** What the bench hands to the virtual machine. */
export interface HermesInput {
  readonly given: HandedOver;
  readonly rounds: number;
  /** How many of the backlog are opened one by one, and how many messages are sealed, in a round. */
  readonly oneByOne: number;
  readonly seals: number;
}

declare const benchInput: HermesInput;
declare const print: (line: string) => void;

/** Not random: the virtual machine has no source of it, and nothing here is kept. */
let drawn = 0;
const random: Random = (sizeBytes) => {
  drawn += 1;
  return new Uint8Array(sizeBytes).map((_, index) => (index * 73 + drawn * 151) & 0xff);
};

async function run({ given, rounds, oneByOne, seals }: HermesInput): Promise<Samples> {
  const primitives = portablePrimitives(random);
  const { backlog, oneByOne: openOneByOne } = receivers(primitives, given);
  const world = await makeWorld(primitives, random, 2);
  const seal = makeSealer(world, world.devices[1] as (typeof world.devices)[number]);
  const payloads = makePayloads(seals);
  const sealing = {
    name: 'seal',
    round: async (time: <T>(work: () => T) => Promise<T>) => void (await time(() => payloads.map(seal))),
  };
  const contestants = [backlog('keytide'), openOneByOne('each signature checked', oneByOne), sealing];
  return contest(contestants, { rounds, warmUps: 0, now: () => Date.now() });
}

run(benchInput).then(
  (samples) => print(JSON.stringify(samples)),
  (error) => print(`failed: ${String(error)}`),
);
