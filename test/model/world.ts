import {
  appendLeaf,
  EMPTY_FRONTIER,
  leafHash,
  rootOf,
  type MemberId,
  type MerkleFrontier,
  type OrgId,
  type Signer,
} from '@keytide/crypto-core';
import { createGenesis, parseEntry, replay, type Checkpoint } from '@keytide/key-directory';
import { policyOf, type Cast } from './entry.ts';
import type { EpochModel, LogNode, Span } from './epoch-model.ts';
import { createGround, type Ground } from './ground.ts';
import { activePhones, founded, isActive, isAdmin, type Org, type PolicyModel } from './model.ts';
import { Phone } from './phone.ts';
import type { Announced, Published, Said, Side } from './relay.ts';

/** A phone that was let in, what it was shown, and what it is to have made of that. */
export interface Actor {
  readonly name: string;
  readonly phone: Phone;
  side: Side;
  log: LogNode;
  epoch: EpochModel | null;
  /** How many entries of the group's log it was given. */
  readAt: number;
  isAway: boolean;
  /** It has found the relay out. */
  isStopped: boolean;
  /**
   * The relay has kept epochs or sealing keys from it, or it has kept to no rule itself: then a box may be sealed
   * to a key that was deleted before it came.
   */
  wasDeceived: boolean;
  /** The relay keeps new sealing records of others from it. */
  isKeptFromRecords: boolean;
  /** The sealing records of others that it was given. */
  readonly records: Set<Published>;
  readonly firstKey: Span & { readonly publicKey: Uint8Array };
}

/** How large it may get. */
export interface Size {
  readonly people: number;
  readonly phones: number;
}

/** An organisation, everybody who ever had a device, the relay's hoard, and what should come of it. */
export interface World extends Cast {
  readonly ground: Ground;
  readonly org: OrgId;
  readonly size: Size;
  readonly phones: Map<string, Phone>;
  readonly actors: Map<string, Actor>;
  /** One, or two while the relay lies. */
  readonly sides: Side[];
  readonly announced: Announced[];
  readonly said: Said[];
  /** What has happened, for people. */
  readonly story: string[];
  /** Where the product did what the model does not. */
  readonly problems: string[];
}

const HOUR_MS = 3_600_000;
export const FIRST_POLICY: PolicyModel = {
  blockMs: HOUR_MS,
  silenceMs: HOUR_MS,
  administration: 1,
  wipe: 1,
  recovery: 0,
};

/** An organisation of one person, p0, with one phone, d0; and two phones of nobody. */
export async function foundWorld(seed: string, size: Size): Promise<World> {
  const ground = createGround(seed);
  const recoveryKeys = new Map<number, Signer>();
  const cast = {
    ground,
    phones: new Map<string, Phone>(),
    people: new Map<string, MemberId>(),
    offers: new Map(),
    recoveryKey(number: number): Signer {
      const key = recoveryKeys.get(number) ?? ground.primitives.signer(ground.random(32));
      recoveryKeys.set(number, key);
      return key;
    },
  };
  for (const name of ['d0', 'ghost1', 'ghost2'])
    cast.phones.set(name, new Phone(ground, name, ground.random));
  const founder = cast.phones.get('d0') as Phone;
  const { primitives, random, nowMs } = ground;
  const wire = createGenesis({
    primitives,
    random,
    device: founder.own(nowMs, FIRST_POLICY.blockMs),
    handle: 'p0',
    policy: policyOf(cast as unknown as Cast, FIRST_POLICY),
    nowMs,
  });
  const { org, members } = replay(primitives, [wire]);
  cast.people.set('p0', [...members.keys()][0] as MemberId);
  const log: LogNode = {
    wire,
    tree: grown(ground, EMPTY_FRONTIER, wire),
    parent: null,
    org: founded('p0', 'd0', FIRST_POLICY, nowMs),
  };
  const side: Side = { name: 'main', wires: [wire], log, group: [], records: [] };
  const world: World = {
    ...cast,
    org,
    size,
    actors: new Map(),
    sides: [side],
    announced: [],
    said: [],
    story: [],
    problems: [],
  };
  await addActor(world, { name: 'd0', side, person: 'p0', anchor: checkpointAt(world, log) });
  return world;
}

/** A log with one more entry. */
export function nextLog(world: World, log: LogNode, wire: Uint8Array, org: Org): LogNode {
  return { wire, tree: grown(world.ground, log.tree, wire), parent: log, org };
}

function grown({ primitives }: Ground, tree: MerkleFrontier, wire: Uint8Array): MerkleFrontier {
  return appendLeaf(primitives, tree, leafHash(primitives, wire));
}

/** The checkpoint of a log. */
export function checkpointAt({ ground }: World, { tree }: LogNode): Checkpoint {
  return { size: tree.size, root: rootOf(ground.primitives, tree) };
}

/** Lets a phone that the log names now begin. */
export async function addActor(
  world: World,
  entering: { name: string; side: Side; person: string; anchor: Checkpoint },
): Promise<Actor> {
  const { name, side, person, anchor } = entering;
  const phone = world.phones.get(name) as Phone;
  await phone.enter(world.org, world.people.get(person) as MemberId, anchor);
  await phone.pull(side.wires);
  const { timeMs } = parseEntry(world.ground.primitives, side.log.wire);
  const { sealingPublicKey: publicKey } = phone.own(0, 0);
  const actor: Actor = {
    name,
    phone,
    side,
    log: side.log,
    epoch: null,
    readAt: 0,
    isAway: false,
    isStopped: false,
    wasDeceived: false,
    isKeptFromRecords: false,
    records: new Set(),
    firstKey: { fromMs: timeMs, toMs: timeMs + side.log.org.policy.blockMs, publicKey },
  };
  world.actors.set(name, actor);
  return actor;
}

/** The phones that are on, in step with the relay, and in the organisation as they see it. */
export function acting({ actors }: World): Actor[] {
  return [...actors.values()].filter(
    ({ isAway, isStopped, log, name }) => !isAway && !isStopped && isActive(log.org, name),
  );
}

/** Those of them whose person is an admin. */
export function actingAdmins(world: World): Actor[] {
  return acting(world).filter(({ log, name }) => isAdmin(log.org, log.org.phones.get(name)?.owner));
}

/** An item, whatever the number. */
export function pick<T>(items: readonly T[], number: number): T {
  if (items.length === 0) throw new Error('nothing to pick from');
  return items[number % items.length] as T;
}

/** How many people and phones there are. */
export function census(world: World): Size {
  const orgs = world.sides.map(({ log }) => log.org);
  return {
    people: Math.max(...orgs.map((org) => [...org.people.values()].filter((one) => one.isPresent).length)),
    phones: Math.max(...orgs.map((org) => activePhones(org).length)),
  };
}
