import { ClientError } from '@keytide/client';
import { catchUp, settle } from './catch-up.ts';
import { wireOf } from './entry.ts';
import { announce } from './speech.ts';
import { attempt, isActive, type Attempt } from './model.ts';
import { addActor, checkpointAt, nextLog, pick, type Actor, type World } from './world.ts';
import type { Side } from './relay.ts';

/**
 * Somebody tries something, by signing it without asking the rules; the relay shows it to whoever believes it.
 * Answers whether the log has it now.
 */
export async function offer(
  world: World,
  side: Side,
  tried: Omit<Attempt, 'timeMs'>,
  witnessNumber = 0,
): Promise<boolean> {
  const full = { ...tried, timeMs: Math.max(world.ground.nowMs, side.log.org.timeMs) };
  const after = attempt(side.log.org, full);
  const wire = wireOf(world, side.log, full);
  world.story.push(`${after === null ? 'refused: ' : ''}${describe(full)} on ${side.name}`);
  if (after === null) {
    const fooled = await showsTo(world, side, wire, witnessNumber);
    if (fooled !== null) await goOnWith(world, side, wire, fooled);
    return false;
  }
  side.wires = [...side.wires, wire];
  side.log = nextLog(world, side.log, wire, after);
  const { act } = full;
  if (act.kind === 'invite' || act.kind === 'invite-device') {
    const made = world.offers.get(act.offer);
    if (made !== undefined) made.anchor = checkpointAt(world, side.log);
  }
  const person = after.phones.get(full.by)?.owner;
  if (!world.actors.has(full.by) && person !== undefined) {
    const anchor = ('offer' in act ? world.offers.get(act.offer)?.anchor : null) ?? first(world, side);
    await catchUp(world, await addActor(world, { name: full.by, side, person, anchor }));
  }
  await settle(world);
  return true;
}

/** Shows a refused entry to one phone, as the log's next: whoever takes it is answered. */
async function showsTo(world: World, side: Side, wire: Uint8Array, number: number): Promise<Actor | null> {
  const candidates = [...world.actors.values()].filter(
    (actor) => actor.side === side && actor.log === side.log && !actor.isStopped,
  );
  if (candidates.length === 0) return null;
  const witness = pick(candidates, number);
  try {
    await witness.phone.pull([...side.wires, wire]);
    return witness;
  } catch (error) {
    if (error instanceof ClientError && error.code === 'relay-forked') return null;
    throw error;
  }
}

/** Lets what should have been refused have its way, to see who can read then. */
async function goOnWith(world: World, side: Side, wire: Uint8Array, fooled: Actor): Promise<void> {
  world.problems.push(`${fooled.name} takes what is to be refused: ${world.story[world.story.length - 1]}`);
  side.wires = [...side.wires, wire];
  side.log = nextLog(world, side.log, wire, { ...side.log.org, size: side.log.org.size + 1 });
  await settle(world);
  if (!fooled.isAway && isActive(side.log.org, fooled.name)) await announce(world, fooled).catch(() => {});
}

function first(world: World, side: Side): ReturnType<typeof checkpointAt> {
  let { log } = side;
  while (log.parent !== null) log = log.parent;
  return checkpointAt(world, log);
}

function describe({ by, act, approvers }: Attempt): string {
  const { kind, ...rest } = act;
  const words = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [`${by}: ${kind}`, ...words, ...approvers.map((name) => `+${name}`)].join(' ');
}
