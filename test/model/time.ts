import { catchUp } from './catch-up.ts';
import type { Published } from './relay.ts';
import { acting, type Actor, type World } from './world.ts';

/** Time goes by; every phone that is on lets its sealing keys follow each other, and deletes what is over. */
export async function pass(world: World, ms: number): Promise<void> {
  const untilMs = world.ground.nowMs + ms;
  const stepMs = Math.min(...world.sides.map(({ log }) => log.org.policy.blockMs)) / 2;
  while (world.ground.nowMs < untilMs) {
    world.ground.nowMs = Math.min(untilMs, world.ground.nowMs + stepMs);
    for (const actor of acting(world)) await tick(world, actor);
  }
}

/** What a phone does by itself while it is on. */
export async function tick(world: World, actor: Actor): Promise<void> {
  await catchUp(world, actor);
  if (actor.isStopped) return;
  const { sealing, ring } = actor.phone;
  const { nowMs } = world.ground;
  const { blockMs } = actor.log.org.policy;
  const { newest } = sealing;
  if (newest !== null && nowMs >= newest.notAfterMs - blockMs / 2) {
    const fromMs = Math.max(newest.notAfterMs, nowMs);
    await sealing.add(fromMs);
    const wire = sealing.unpublished as Uint8Array;
    await sealing.confirm(wire);
    const { publicKey } = sealing.newest as { publicKey: Uint8Array };
    const published: Published = {
      phone: actor.name,
      device: actor.phone.id,
      publicKey,
      wire,
      fromMs,
      toMs: fromMs + blockMs,
    };
    actor.side.records.push(published);
  }
  await sealing.deleteExpired({ nowMs, syncedMs: nowMs }, ring.unopened);
}
