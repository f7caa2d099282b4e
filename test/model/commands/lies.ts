import fc from 'fast-check';
import { ClientError } from '@keytide/client';
import { settle } from '../catch-up.ts';
import type { EpochModel } from '../epoch-model.ts';
import { copyOf, type Announced, type Side } from '../relay.ts';
import { acting, pick, type World } from '../world.ts';
import { some, step, type Step } from './step.ts';

/** What a relay can do by itself. */
export const lies: fc.Arbitrary<Step>[] = [
  step(
    'two sides',
    fc.record({ first: some, every: fc.integer({ min: 2, max: 5 }) }),
    async (world, given) => {
      if (world.sides.length > 1) return;
      const main = world.sides[0] as Side;
      const other = copyOf(main, `other side ${world.story.length}`);
      const victims = [...world.actors.values()].filter(
        ({ side, isStopped }, index) =>
          !isStopped && side === main && (index + given.first) % given.every === 0,
      );
      if (victims.length === 0) return;
      world.sides.push(other);
      for (const victim of victims) {
        victim.side = other;
        victim.wasDeceived = true;
      }
      world.story.push(`the relay shows ${victims.map(({ name }) => name).join()} a side of their own`);
    },
  ),
  step('one side', fc.constant(null), async (world) => {
    const [main, other] = world.sides;
    if (main === undefined || other === undefined) return;
    world.sides.pop();
    const same = other.group.findIndex((entry, index) => entry !== main.group[index]);
    const shared = same === -1 ? other.group.length : same;
    for (const record of other.records) if (!main.records.includes(record)) main.records.push(record);
    for (const actor of world.actors.values()) {
      if (actor.side !== other) continue;
      actor.side = main;
      actor.readAt = Math.min(actor.readAt, shared);
    }
    world.story.push('the relay shows everybody one side');
    await settle(world);
  }),
  step('hide keys', some, async (world, number) => {
    const actor = pick([...world.actors.values()], number);
    actor.isKeptFromRecords = !actor.isKeptFromRecords;
    actor.wasDeceived = true;
    const word = actor.isKeptFromRecords ? 'keeps new sealing keys from' : 'shows new sealing keys to';
    world.story.push(`the relay ${word} ${actor.name}`);
  }),
  step(
    'roll back',
    fc.record({ victim: some, by: fc.integer({ min: 1, max: 5 }) }),
    async (world, { victim, by }) => {
      const able = acting(world).filter(({ log }) => log.org.size > by);
      if (able.length === 0) return;
      const { phone, name, side, log } = pick(able, victim);
      world.story.push(`the relay shows ${name} a log without the last ${by} entries`);
      const wires = side.wires.slice(0, log.org.size - by);
      const refused = await phone.pull(wires).then(
        () => false,
        (error: unknown) => error instanceof ClientError && error.code === 'relay-forked',
      );
      if (!refused) world.problems.push(`${name} goes back to an older log`);
    },
  ),
  step('replay', fc.record({ which: some, where: some }), async (world, { which, where }) => {
    if (world.announced.length === 0) return;
    const recent = world.announced.slice(-5);
    const again = pick(where % 2 === 0 ? recent : world.announced, which);
    const side = pick(world.sides, where);
    side.group.push(again);
    world.story.push(
      `the relay shows epoch ${again.epoch.number} of ${again.epoch.author} again on ${side.name}`,
    );
    await settle(world);
  }),
  step('alter', fc.record({ which: some, place: some }), async (world, { which, place }) => {
    const last = world.announced[world.announced.length - 1 - (which % 2)];
    const victim = acting(world)[0];
    if (last === undefined || victim === undefined) return;
    await showAltered(world, last, { side: victim.side, place });
  }),
];

/** The signature's last bytes, which are no part of the encoding. */
async function showAltered(
  world: World,
  genuine: Announced,
  { side, place }: { side: Side; place: number },
): Promise<void> {
  const bytes = genuine.bytes.slice();
  const at = bytes.length - 1 - (place % 64);
  bytes[at] = (bytes[at] as number) ^ 1;
  const epoch: EpochModel = { ...genuine.epoch, flaw: 'signature' };
  const altered: Announced = { ...genuine, bytes, epoch };
  world.announced.push(altered);
  side.group.push(altered);
  world.story.push(`the relay alters epoch ${epoch.number} of ${epoch.author} on ${side.name}`);
  await settle(world);
}
