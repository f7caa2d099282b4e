import { catchUp, settle } from './catch-up.ts';
import { isSilent, type EpochModel } from './epoch-model.ts';
import { activePhones } from './model.ts';
import type { Announced } from './relay.ts';
import type { Actor, World } from './world.ts';

const ATTEMPTS = 3;

/** A phone makes an epoch as its client does, and the relay shows it to its side. */
export async function announce(world: World, actor: Actor): Promise<void> {
  const announced = await prepare(world, actor);
  actor.side.group.push(announced);
  await settle(world);
}

/** Makes an epoch; the relay has it, and has shown it to nobody. */
export async function prepare(world: World, actor: Actor): Promise<Announced> {
  await learnRecords(actor);
  const { statement, boxes, key } = await actor.phone.nextEpoch();
  key.dispose();
  const { log, epoch: parent, name } = actor;
  const createdMs = Math.max(world.ground.nowMs, parent?.createdMs ?? 0);
  const epoch: EpochModel = {
    parent,
    number: (parent?.number ?? 0) + 1,
    log,
    author: name,
    createdMs,
    boxed: new Set(activePhones(log.org).filter((other) => !isSilentTo(world, actor, other, createdMs))),
    flaw: null,
  };
  const announced: Announced = { kind: 'statement', bytes: statement, boxes, epoch };
  world.announced.push(announced);
  world.story.push(`${name} makes epoch ${epoch.number} on ${actor.side.name}`);
  return announced;
}

/** A phone writes, under a new epoch where one is due. */
export async function say(world: World, actor: Actor): Promise<void> {
  await catchUp(world, actor);
  for (let tries = 0; actor.phone.ring.needsRotation(world.ground.nowMs); tries += 1) {
    if (actor.isStopped || tries === ATTEMPTS) return;
    await announce(world, actor);
  }
  const under = world.announced.find(({ epoch }) => epoch === actor.epoch) as Announced;
  if (world.ground.nowMs >= blockEndOf(under.epoch))
    world.problems.push(`${actor.name} writes under epoch ${under.epoch.number}, whose time is over`);
  const text = `message ${world.said.length}`;
  const bytes = await actor.phone.seal(text);
  world.story.push(`${actor.name} says '${text}' under epoch ${under.epoch.number} on ${actor.side.name}`);
  const said = { kind: 'envelope', bytes, sender: actor.name, text, log: actor.log, under } as const;
  actor.side.group.push(said);
  world.said.push(said);
  await settle(world);
}

function blockEndOf({ createdMs, log }: EpochModel): number {
  const { blockMs } = log.org.policy;
  return (Math.floor(createdMs / blockMs) + 1) * blockMs;
}

/** Takes over the sealing records that the relay shows. */
async function learnRecords(actor: Actor): Promise<void> {
  if (actor.isKeptFromRecords) return;
  const news = actor.side.records.filter(
    (record) => !actor.records.has(record) && actor.log.org.phones.has(record.phone),
  );
  await actor.phone.readRecords(news);
  for (const record of news) actor.records.add(record);
}

/** Whether, by what the author was shown, there is no key to seal to. */
function isSilentTo(world: World, author: Actor, other: string, atMs: number): boolean {
  if (other === author.name) return false;
  const first = world.actors.get(other)?.firstKey;
  if (first === undefined) throw new Error(`${other} has no key at all`);
  const later = [...author.records].filter(({ phone }) => phone === other);
  return isSilent([first, ...later], atMs, author.log.org);
}
