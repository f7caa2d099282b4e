import fc from 'fast-check';
import {
  activePhones,
  approvalsNeeded,
  isActive,
  otherAdmins,
  type Act,
  type Role,
  type Target,
} from '../model.ts';
import { offer } from '../offer.ts';
import { Phone } from '../phone.ts';
import { actingAdmins, census, pick, type Actor, type World } from '../world.ts';
import { some, step, type Step } from './step.ts';

const MINUTE_MS = 60_000;
const role = fc.constantFrom<Role>('admin', 'member', 'member', 'exporter');
const mostly = fc.nat(9).map((number) => number > 0);
/** Who tries, whom it is shown to, and with which approvals. */
const trial = fc.record({
  by: some,
  isAdmin: fc.nat(4).map((number) => number > 0),
  witness: some,
  approvals: fc.constantFrom('right', 'right', 'right', 'right', 'none', 'strangers', 'double', 'too many'),
});
type Trial = { by: number; isAdmin: boolean; witness: number; approvals: string };

/** Every act of the membership log, by those who may and by those who may not. */
export const membership: fc.Arbitrary<Step>[] = [
  step('invite', fc.record({ trial, role, minutes: fc.integer({ min: 1, max: 200 }) }), (world, given) =>
    tries(world, given.trial, {
      kind: 'invite',
      offer: `i${world.offers.size}`,
      role: given.role,
      expiresMs: world.ground.nowMs + given.minutes * MINUTE_MS,
    }),
  ),
  step('join', fc.record({ offer: some, hasLink: mostly, witness: some }), (world, given) =>
    enters(world, given),
  ),
  step('join', fc.record({ offer: some, hasLink: mostly, witness: some }), (world, given) =>
    enters(world, given),
  ),
  step(
    'invite-device',
    fc.record({ trial, owner: some, isOwn: fc.boolean(), minutes: fc.integer({ min: 1, max: 200 }) }),
    (world, { trial: who, owner, isOwn, minutes }) => {
      const author = authorOf(world, who);
      const own = author.side.log.org.phones.get(author.name)?.owner;
      return tries(world, who, {
        kind: 'invite-device',
        offer: `i${world.offers.size}`,
        owner: isOwn && own !== undefined ? own : personOf(world, owner),
        expiresMs: world.ground.nowMs + minutes * MINUTE_MS,
      });
    },
  ),
  step('revoke-device', fc.record({ trial, phone: some }), (world, given) =>
    tries(world, given.trial, { kind: 'revoke-device', phone: phoneOf(world, given.phone) }),
  ),
  step('remove-member', fc.record({ trial, person: some }), (world, given) =>
    tries(world, given.trial, { kind: 'remove-member', person: personOf(world, given.person) }),
  ),
  step('role', fc.record({ trial, person: some, role }), (world, given) =>
    tries(world, given.trial, { kind: 'role', person: personOf(world, given.person), role: given.role }),
  ),
  step(
    'policy',
    fc.record({
      trial,
      administration: fc.constantFrom(1, 2, 2, 3),
      wipe: fc.constantFrom(1, 1, 2),
      hours: fc.constantFrom(1, 1, 2),
      silence: fc.constantFrom(1, 3),
    }),
    (world, given) => {
      const { administration, wipe, hours, silence } = given;
      const { recovery } = authorOf(world, given.trial).side.log.org.policy;
      const policy = { blockMs: hours * 60 * MINUTE_MS, silenceMs: silence * 60 * MINUTE_MS };
      return tries(world, given.trial, {
        kind: 'policy',
        policy: { ...policy, administration, wipe, recovery },
      });
    },
  ),
  step('wipe', fc.record({ trial, of: fc.nat(9), target: some }), (world, given) =>
    tries(world, given.trial, { kind: 'wipe', target: targetOf(world, given) }),
  ),
  step(
    'recovery',
    fc.record({ side: some, isRightKey: mostly, removed: fc.array(some, { maxLength: 2 }), witness: some }),
    async (world, given) => {
      const side = pick(world.sides, given.side);
      const { recovery } = side.log.org.policy;
      const removed = new Set(given.removed.map((number) => personOf(world, number)));
      const act: Act = {
        kind: 'recovery',
        person: `p${world.people.size}`,
        key: given.isRightKey ? recovery : recovery + 1000,
        removed: [...removed],
        policy: { ...side.log.org.policy, administration: 1, wipe: 1, recovery: recovery + 1 },
      };
      if (isFull(world)) return;
      await offer(world, side, { by: newPhone(world), act, approvers: [] }, given.witness);
    },
  ),
];

/** Enters with an invite that there is, for a person or for a phone. */
async function enters(
  world: World,
  given: { offer: number; hasLink: boolean; witness: number },
): Promise<void> {
  if (world.offers.size === 0 || isFull(world)) return;
  const name = pick([...world.offers.keys()].slice(-6), given.offer);
  const side = world.sides.find(({ log }) => log.org.offers.has(name));
  const lets = side?.log.org.offers.get(name)?.lets;
  if (side === undefined || lets === undefined) return;
  const { hasLink } = given;
  const act: Act =
    'role' in lets
      ? { kind: 'join', offer: name, person: `p${world.people.size}`, hasLink }
      : { kind: 'add-device', offer: name, hasLink };
  await offer(world, side, { by: newPhone(world), act, approvers: [] }, given.witness);
}

/** A phone tries to have an act done, with approvals as they are given. */
async function tries(world: World, who: Trial, act: Act): Promise<void> {
  const author = authorOf(world, who);
  const { side, name } = author;
  const { org } = side.log;
  const needed = isActive(org, name) ? approvalsNeeded(org, name, act) : 0;
  const others = otherAdmins(org, name);
  const own = org.phones.get(name)?.owner;
  const twin = activePhones(org).find((phone) => phone !== name && org.phones.get(phone)?.owner === own);
  const strangers = [...world.phones.keys()].filter((phone) => !others.includes(phone) && phone !== name);
  const approvers: { [kind: string]: readonly string[] } = {
    right: others.slice(0, needed),
    none: [],
    strangers: strangers.slice(-needed).slice(0, needed),
    double: needed > 0 ? [...others.slice(0, needed - 1), twin ?? name] : [],
    'too many': others.slice(0, needed + 1),
  };
  await offer(world, side, { by: name, act, approvers: approvers[who.approvals] ?? [] }, who.witness);
}

function authorOf(world: World, { by, isAdmin }: Trial): Actor {
  const admins = isAdmin ? actingAdmins(world) : [];
  return pick(admins.length > 0 ? admins : [...world.actors.values()], by);
}

function newPhone(world: World): string {
  const name = `d${world.phones.size - 2}`;
  world.phones.set(name, new Phone(world.ground, name, world.ground.random));
  return name;
}

function isFull(world: World): boolean {
  const { people, phones } = census(world);
  return people >= world.size.people || phones >= world.size.phones;
}

function personOf(world: World, number: number): string {
  return pick([...world.people.keys()], number);
}

function phoneOf(world: World, number: number): string {
  return pick([...world.phones.keys()], number);
}

function targetOf(world: World, { of, target }: { of: number; target: number }): Target {
  if (of === 0) return { everyone: 'but-admins' };
  return of < 6 ? { phone: phoneOf(world, target) } : { person: personOf(world, target) };
}
