import fc from 'fast-check';
import { catchUp } from '../catch-up.ts';
import { announce, prepare, say } from '../speech.ts';
import { pass, tick } from '../time.ts';
import { acting, pick } from '../world.ts';
import { settle } from '../catch-up.ts';
import { some, step, type Step } from './step.ts';

const MINUTE_MS = 60_000;

/** What phones do among themselves: write, begin epochs, go away and come back. */
export const life: fc.Arbitrary<Step>[] = [
  step('say', some, async (world, number) => {
    const able = acting(world);
    if (able.length > 0) await say(world, pick(able, number));
  }),
  step('say', some, async (world, number) => {
    const able = acting(world);
    if (able.length > 0) await say(world, pick(able, number));
  }),
  step('epoch', some, async (world, number) => {
    const able = acting(world);
    if (able.length > 0) await announce(world, pick(able, number));
  }),
  step('race', fc.record({ one: some, other: some }), async (world, { one, other }) => {
    const able = acting(world);
    if (able.length === 0) return;
    const [first, second] = [pick(able, one), pick(able, other)];
    const winner = await prepare(world, first);
    if (second !== first) await prepare(world, second);
    first.side.group.push(winner);
    await settle(world);
  }),
  step('pass', fc.integer({ min: 1, max: 200 }), (world, minutes) => pass(world, minutes * MINUTE_MS)),
  step('leave', some, async (world, number) => {
    const able = acting(world);
    if (able.length < 2) return;
    const actor = pick(able, number);
    actor.isAway = true;
    world.story.push(`${actor.name} goes away`);
  }),
  step('return', some, async (world, number) => {
    const gone = [...world.actors.values()].filter(({ isAway, isStopped }) => isAway || isStopped);
    if (gone.length === 0) return;
    const actor = pick(gone, number);
    actor.isAway = false;
    actor.isStopped = false;
    world.story.push(`${actor.name} starts anew`);
    await actor.phone.reopen();
    await catchUp(world, actor);
    if (acting(world).includes(actor)) await tick(world, actor);
  }),
];
