import { idBytes, toHex, type OrgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { RelayLimits } from '@keytide/server-relay';
import { seededRandom, seededWorld, type SeededWorld } from '@keytide/testkit';
import { afterEach, expect, test } from 'vitest';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import { announceOf, appendOf } from './group.ts';
import { greet, type Line } from './line.ts';
import { relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const random = seededRandom('shares');
const [mine, other] = ['mine', 'other'].map((seed) => seededWorld({ seed, members: 1 })) as [
  SeededWorld,
  SeededWorld,
];
const keys = localKeyWrapper(primitives, random, random(32));
/** Whose keys do not come, and who waits for one. */
let hung: OrgId | null = null;
const waiting: (() => void)[] = [];
let relay: RelayUnderTest;
afterEach(() => relay.close());

/** A relay for two organisations, by a clock that stands still, whose key service can hang for one of them. */
async function relayWith(limits: Partial<RelayLimits>): Promise<void> {
  const keyWrapper = {
    ...keys,
    async wrap(key: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
      if (hung !== null && toHex(context).includes(toHex(idBytes(hung))))
        await new Promise<void>((resolve) => waiting.push(resolve));
      return keys.wrap(key, context);
    },
  };
  relay = await relayUnderTest({ clock: mine.clock, limits, keyWrapper });
  for (const world of [mine, other]) await settle(relay, world);
}

const tokenIn = (world: SeededWorld): Promise<string> =>
  tokenOf(relay, world.org, world.members[0].devices[0]);
const greeted = async (world: SeededWorld): Promise<Line> => greet(relay, await tokenIn(world));

async function startGroup(world: SeededWorld): Promise<void> {
  const line = await greeted(world);
  line.send(await announceOf(world, world.members[0].devices[0], 1));
  await line.next('appended');
  line.socket.close();
}

test('an organisation whose key does not come fills its own share, and the others write on', async () => {
  await relayWith({ socketIntakeBytes: 20_000, intakeBytes: 100_000, intakeBytesOfOrganisation: 40_000 });
  for (const world of [mine, other]) await startGroup(world);
  mine.clock.advance(86_400_000);
  hung = mine.org;
  const crowd: Line[] = [];
  for (let count = 0; count < 12; count += 1) crowd.push(await greeted(mine));
  const line = await greeted(other);
  for (const one of crowd) for (const id of [1, 2]) one.send(appendOf(mine, id, 1, 12_000));
  await expect.poll(() => waiting.length).toBe(1);
  // They are given time to arrive.
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let id = 1; id <= 5; id += 1) {
    line.send(appendOf(other, id));
    expect(await line.next('appended')).toMatchObject({ requestId: id });
  }
  expect(crowd.flatMap(({ frames }) => frames.filter(({ type }) => type === 'appended'))).toEqual([]);
  hung = null;
  for (const one of waiting.splice(0)) one();
  for (const one of crowd)
    for (const requestId of [1, 2]) expect(await one.next('appended')).toMatchObject({ requestId });
});
