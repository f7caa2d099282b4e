import { ClientError } from '@keytide/client';
import { isPartOf, readersOf, verdictOn, type EpochModel } from './epoch-model.ts';
import type { Announced, Said } from './relay.ts';
import type { Actor, World } from './world.ts';

/** Shows every phone that is on what its side of the relay has. */
export async function settle(world: World): Promise<void> {
  for (const actor of world.actors.values()) await catchUp(world, actor);
}

/** Shows a phone what its side has, and holds its verdicts against the model's. */
export async function catchUp(world: World, actor: Actor): Promise<void> {
  if (actor.isAway || actor.isStopped) return;
  const { side, phone } = actor;
  // Of another log that is as long there is nothing to read, so only what is signed can give it away.
  if (actor.log.org.size !== side.log.org.size) {
    const expected = isPartOf(actor.log, side.log) ? 'accept' : 'stop';
    const actual = await verdict(async () => {
      await phone.pull(side.wires);
      return 'accept';
    });
    compare(world, actor, `the log of ${side.log.org.size} entries`, { expected, actual });
    if (actual === 'stop') return void (actor.isStopped = true);
    actor.log = side.log;
  }
  while (actor.readAt < side.group.length) {
    const entry = side.group[actor.readAt] as Announced | Said;
    const actual =
      entry.kind === 'statement'
        ? await readStatement(world, actor, entry)
        : await readMessage(world, actor, entry);
    if (actual === 'stop') return void (actor.isStopped = true);
    actor.readAt += 1;
  }
}

async function readStatement(world: World, actor: Actor, announced: Announced): Promise<string> {
  const { epoch, bytes, boxes } = announced;
  const expected = verdictOn(actor, epoch);
  const box = boxes.find(({ device }) => device === actor.phone.id)?.box ?? null;
  const actual = await verdict(async () => {
    const outcome = await actor.phone.read({ kind: 'statement', bytes }, box);
    return outcome.kind === 'epoch' ? 'accept' : 'refuse';
  });
  compare(world, actor, `epoch ${epoch.number} of ${epoch.author}`, { expected, actual });
  if (actual === 'accept') {
    actor.epoch = epoch;
    const mine = typeof actor.phone.ring.keysOf(epoch.number) === 'string' ? 'no key' : 'the key';
    const due = readersOf(epoch).has(actor.name) ? 'the key' : 'no key';
    if (isPlain(world, actor, epoch))
      compare(world, actor, `what it holds of epoch ${epoch.number}`, { expected: due, actual: mine });
  }
  return actual;
}

async function readMessage(world: World, actor: Actor, said: Said): Promise<string> {
  const { epoch } = said.under;
  const isDue = epoch === actor.epoch && readersOf(epoch).has(actor.name) && isPartOf(said.log, actor.log);
  const actual = await verdict(async () => {
    const outcome = await actor.phone.read({ kind: 'envelope', bytes: said.bytes }, null);
    return outcome.kind === 'message' ? 'read' : 'unreadable';
  });
  if (isDue && isPlain(world, actor, epoch))
    compare(world, actor, `'${said.text}' of ${said.sender}`, { expected: 'read', actual });
  return actual;
}

/** Whether nobody has kept a phone, or an epoch's author, from what would let its box be opened. */
function isPlain({ actors }: World, { wasDeceived }: Actor, { author }: EpochModel): boolean {
  return !wasDeceived && actors.get(author)?.wasDeceived === false;
}

async function verdict(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ClientError) return 'stop';
    throw error;
  }
}

function compare(
  world: World,
  { name }: Actor,
  what: string,
  { expected, actual }: { expected: string; actual: string },
): void {
  if (expected !== actual) world.problems.push(`${name}: ${what}: should ${expected}, and did ${actual}`);
}
