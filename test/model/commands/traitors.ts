import {
  createEpoch,
  EMPTY_FRONTIER,
  parseEpochStatement,
  rootOf,
  type DeviceId,
  type Encapsulator,
} from '@keytide/crypto-core';
import { everyoneGroup } from '@keytide/key-directory';
import fc from 'fast-check';
import { settle } from '../catch-up.ts';
import type { EpochModel, Flaw, LogNode } from '../epoch-model.ts';
import { activePhones, isActive } from '../model.ts';
import type { Announced, Side } from '../relay.ts';
import { acting, checkpointAt, pick, type Actor, type World } from '../world.ts';
import { some, step, type Step } from './step.ts';

/** Epochs by whoever has a member's key and keeps to no rule, with a relay that shows what they make. */
export const traitors: fc.Arbitrary<Step>[] = [
  step('extra recipient', fc.record({ by: some, ghost: some }), (world, given) =>
    betrays(world, given.by, (author) => {
      const recipients = activePhones(author.log.org);
      const strangers = [...world.phones.keys()].filter((name) => !recipients.includes(name));
      const extra = pick(strangers, given.ghost);
      return { log: author.log, recipients: [...recipients, extra], flaw: 'recipients' };
    }),
  ),
  step('left out', fc.record({ by: some, victim: some }), (world, given) =>
    betrays(world, given.by, (author) => {
      const others = activePhones(author.log.org).filter((name) => name !== author.name);
      if (others.length === 0) return null;
      const victim = pick(others, given.victim);
      const recipients = activePhones(author.log.org).filter((name) => name !== victim);
      return { log: author.log, recipients, flaw: 'recipients' };
    }),
  ),
  step('not a block', fc.record({ by: some }), (world, given) =>
    betrays(world, given.by, ({ log }) => ({ log, recipients: activePhones(log.org), flaw: 'not-a-block' })),
  ),
  step('by the revoked', fc.record({ by: some, extra: fc.boolean() }), async (world, { by, extra }) => {
    const revoked = [...world.actors.values()].filter(
      ({ name, side }) => !isActive(side.log.org, name) && wasActive(side.log, name) !== null,
    );
    if (revoked.length === 0) return;
    const author = pick(revoked, by);
    // The last log in which it was active, which it may pass off as the newest; or the newest, which names it not.
    const log = extra ? author.side.log : (wasActive(author.side.log, author.name) as LogNode);
    const recipients = [...new Set([...activePhones(log.org), author.name])];
    await forges(world, author, { log, recipients, flaw: extra ? 'recipients' : null });
  }),
];

interface Forgery {
  readonly log: LogNode;
  readonly recipients: readonly string[];
  readonly flaw: Flaw;
}

async function betrays(world: World, number: number, plan: (author: Actor) => Forgery | null): Promise<void> {
  const able = acting(world);
  if (able.length === 0) return;
  const author = pick(able, number);
  const forgery = plan(author);
  if (forgery !== null) await forges(world, author, forgery);
}

/** Makes a statement as told, after the epoch that the author's side has now, and shows it there. */
async function forges(world: World, author: Actor, { log, recipients, flaw }: Forgery): Promise<void> {
  const { primitives, random, nowMs } = world.ground;
  const { side, name, phone } = author;
  author.wasDeceived = true;
  const parent = newestOn(world, side);
  const previous = parent === null ? null : { epoch: parent.epoch.number, hash: hashOf(world, parent) };
  const createdMs = Math.max(nowMs, parent?.epoch.createdMs ?? 0);
  const { blockMs } = log.org.policy;
  const blockStartMs = Math.floor(createdMs / blockMs) * blockMs - (flaw === 'not-a-block' ? blockMs : 0);
  const { statement, boxes, key } = await createEpoch({
    primitives,
    random,
    signer: phone.signer,
    author: phone.id,
    org: world.org,
    group: everyoneGroup(primitives, world.org),
    previous,
    createdMs,
    blockStartMs,
    blockEndMs: blockStartMs + blockMs,
    checkpoint: checkpointAt(world, log),
    reason: previous === null ? 'first' : 'on-demand',
    closing: { group: { size: 0, root: rootOf(primitives, EMPTY_FRONTIER) }, senders: [] },
    recipients: recipients.map((one) => recipientOf(world, one)),
  });
  key.dispose();
  const epoch: EpochModel = {
    parent: parent?.epoch ?? null,
    number: (parent?.epoch.number ?? 0) + 1,
    log,
    author: name,
    createdMs,
    boxed: new Set(recipients),
    flaw,
  };
  const announced: Announced = { kind: 'statement', bytes: statement, boxes, epoch };
  world.announced.push(announced);
  side.group.push(announced);
  const words = flaw === null ? `on log ${log.org.size}` : `with wrong ${flaw}`;
  world.story.push(`${name} forges epoch ${epoch.number} ${words} for ${recipients.join()} on ${side.name}`);
  await settle(world);
}

/** The epoch that most has come to on a side. */
function newestOn(world: World, side: Side): Announced | null {
  const believed = acting(world).flatMap((actor) => (actor.side === side ? [actor.epoch] : []));
  const newest = believed.reduce((a, b) => ((b?.number ?? 0) > (a?.number ?? 0) ? b : a), null);
  return world.announced.find(({ epoch }) => epoch === newest) ?? null;
}

function hashOf({ ground }: World, { bytes }: Announced): Uint8Array {
  return parseEpochStatement(ground.primitives, bytes).hash;
}

/** A phone with the newest sealing key that has started, whether still in force or not. */
function recipientOf(world: World, name: string): { device: DeviceId; encapsulator: Encapsulator } {
  const phone = world.phones.get(name);
  if (phone === undefined) throw new Error(`no phone ${name}`);
  const published = world.sides
    .flatMap(({ records }) => records)
    .filter(({ phone: of, fromMs }) => of === name && fromMs <= world.ground.nowMs);
  const publicKey = published[published.length - 1]?.publicKey ?? phone.own(0, 0).sealingPublicKey;
  return { device: phone.id, encapsulator: world.ground.primitives.encapsulator(publicKey) };
}

/** The newest log before this one in which a phone was active; `null` where it never was. */
function wasActive(log: LogNode, name: string): LogNode | null {
  let node: LogNode | null = log;
  while (node !== null && !isActive(node.org, name)) node = node.parent;
  return node;
}
