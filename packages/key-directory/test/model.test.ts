import assert from 'node:assert/strict';
import { memberId, Secret, toHex, type MemberId, type Signer } from '@keytide/crypto-core';
import {
  applyEntry,
  changedHeads,
  EMPTY_MAP_ROOT,
  headsOf,
  inviteIdOf,
  mapRoot,
  publishKeys,
  replay,
  updateMap,
  type CreatedInvite,
  type DirectoryState,
  type EntryBody,
} from '@keytide/key-directory';
import {
  seededDevice,
  seededRandom,
  seededWorld,
  type SeededDevice,
  type SeededWorld,
} from '@keytide/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addDeviceBody, digest, forge, joinBody, refusal } from './forge.ts';
import { NodeStore } from './map/node-store.ts';
import { activeDevices, attempt, newModel, type Act, type Model } from './model.ts';

const PEOPLE = 12;
const DEVICES = 24;
const OFFERS = 12;
const SEED = 20_300_101;

/** Everyone and everything that could ever take part, made once: the first of each founds the organisation. */
const blueprint = seededWorld({ seed: 'model', members: 1 });
const { primitives } = blueprint;
const cast = seededRandom('model cast');
const devices: SeededDevice[] = [
  blueprint.members[0].devices[0],
  ...Array.from({ length: DEVICES - 1 }, () => seededDevice(primitives, cast, blueprint.clock.now())),
];
const people: MemberId[] = [
  blueprint.members[0].id,
  ...Array.from({ length: PEOPLE - 1 }, () => memberId(cast(16))),
];
const offers: { seed: Uint8Array; key: Signer }[] = Array.from({ length: OFFERS }, () => {
  const seed = cast(32);
  return { seed, key: primitives.signer(seed) };
});

/** Somebody tries something; which the model and the log must judge alike. */
class Attempt implements fc.Command<Model, SeededWorld> {
  readonly #actor: number;
  readonly #act: Act;
  readonly #waitMs: number;

  constructor(actor: number, act: Act, waitMs: number) {
    this.#actor = actor;
    this.#act = act;
    this.#waitMs = waitMs;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, world: SeededWorld): void {
    world.clock.advance(this.#waitMs);
    model.now += this.#waitMs;
    const actor = devices[this.#actor] as SeededDevice;
    const wire = forge(world, actor, bodyOf(world, actor, this.#act));
    const code = refusal(world, wire);
    const expected = attempt(model, String(this.#actor), this.#act);
    assert.equal(code === null, expected, `the log says ${code}`);
    if (code === null) world.append(wire);
    assert.deepEqual(activeInLog(world), activeDevices(model));
    const roles = [...world.state.members.values()]
      .filter(({ removedAt }) => removedAt === null)
      .map(({ id, role }) => `${people.indexOf(id)} ${role}`);
    assert.deepEqual(roles.toSorted(), model.people.map(({ name, role }) => `${name} ${role}`).toSorted());
  }

  toString(): string {
    return `${this.#actor}: ${JSON.stringify(this.#act)} after ${this.#waitMs} ms`;
  }
}

function bodyOf(world: SeededWorld, actor: SeededDevice, act: Act): EntryBody {
  const person = 'person' in act ? (people[Number(act.person)] as MemberId) : people[0];
  const offer = 'offer' in act ? offers[Number(act.offer)] : offers[0];
  const target = 'device' in act ? devices[Number(act.device)] : devices[0];
  if (person === undefined || offer === undefined || target === undefined) throw new Error('not in the cast');
  const { role } = { role: 'member' as const, ...act };
  switch (act.kind) {
    case 'invite':
      return { kind: 'invite', publicKey: offer.key.publicKey, role, expiresMs: act.expires };
    case 'revoke-invite':
      return { kind: 'revoke-invite', invite: inviteIdOf(primitives, offer.key.publicKey) };
    case 'join': {
      const created = createdOf(offer);
      const signed = { member: person };
      // A relay that puts its own device in the place of the one that the invite's key signed for.
      const victim = devices.at(-1) as SeededDevice;
      const swapped = act.stolen ? publishKeys(primitives, actor.own) : {};
      return joinBody(world, created, act.stolen ? victim : actor, { signed, swapped });
    }
    case 'invite-device':
      return {
        kind: 'invite-device',
        publicKey: offer.key.publicKey,
        member: person,
        expiresMs: act.expires,
      };
    case 'add-device': {
      const created = createdOf(offer);
      const lets = world.state.invites.get(created.id)?.lets;
      const member = lets?.in === 'device' ? lets.member : (people.at(-1) as MemberId);
      const victim = devices.at(-1) as SeededDevice;
      const swapped = act.stolen ? publishKeys(primitives, actor.own) : {};
      return addDeviceBody(world, created, act.stolen ? victim : actor, { member, swapped });
    }
    case 'revoke-device':
      return { kind: 'revoke-device', device: target.id };
    case 'remove-member':
      return { kind: 'remove-member', member: person };
    case 'role':
      return { kind: 'role', member: person, role };
  }
}

function createdOf({ key, seed }: { key: Signer; seed: Uint8Array }): CreatedInvite {
  const id = inviteIdOf(primitives, key.publicKey);
  return { wire: new Uint8Array(), id, seed: Secret.own(seed.slice()) };
}

function activeInLog(world: SeededWorld): string[] {
  const active = [...world.state.devices.values()].filter(({ revokedAt }) => revokedAt === null);
  return active.map(({ id }) => String(devices.findIndex((device) => device.id === id))).toSorted();
}

/** The small numbers are more likely, so that acts meet each other. */
const among = (count: number): fc.Arbitrary<string> =>
  fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 2, arbitrary: fc.nat(count - 1) }).map(String);
const anyRole = fc.constantFrom('admin', 'member', 'exporter');
const expires = fc.integer({ min: -50, max: 3000 }).map((ms) => blueprint.clock.now() + ms);
const mostly = fc.integer({ min: 0, max: 9 }).map((n) => n > 0);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('invite'), offer: among(OFFERS), role: anyRole, expires }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke-invite'), offer: among(OFFERS) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('join'),
      offer: among(OFFERS),
      person: among(PEOPLE),
      stolen: mostly.map((honest) => !honest),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('invite-device'),
      offer: among(OFFERS),
      person: among(PEOPLE - 1),
      expires,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('add-device'),
      offer: among(OFFERS),
      stolen: mostly.map((honest) => !honest),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke-device'), device: among(DEVICES) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove-member'), person: among(PEOPLE) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('role'), person: among(PEOPLE), role: anyRole }) },
);
const anybody = fc.nat(DEVICES - 2);
const insider = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(3) });
const attempts = act.chain((what) => {
  const isNewcomer = what.kind === 'join' || what.kind === 'add-device';
  const actor = isNewcomer ? anybody : fc.oneof({ weight: 4, arbitrary: insider }, anybody);
  return fc.tuple(actor, fc.nat(50)).map(([who, waitMs]) => new Attempt(who, what, waitMs));
});

/** Three people join, one as admin: most of what can be tried takes more than a founder. */
function gather(model: Model, world: SeededWorld): void {
  for (const [i, role] of (['admin', 'member', 'exporter'] as const).entries()) {
    const offer = String(OFFERS - 1 - i);
    new Attempt(0, { kind: 'invite', offer, role, expires: model.now }, 0).run(model, world);
    const join: Act = { kind: 'join', offer, person: String(i + 1), stolen: false };
    new Attempt(i + 1, join, 0).run(model, world);
  }
}

/** Goes through a log entry by entry: the map, kept up, has the root of the state's, and no node too many. */
async function keepsItsMap(wires: readonly Uint8Array[]): Promise<DirectoryState> {
  const [store, whole] = [new NodeStore(), new NodeStore()];
  let state: DirectoryState | null = null;
  let root = EMPTY_MAP_ROOT;
  for (const wire of wires) {
    const next = applyEntry(primitives, state, wire);
    const update = await updateMap(primitives, store, root, changedHeads(primitives, state, next));
    root = store.keep(update);
    store.prune(update);
    state = next;
    assert.equal(toHex(root), toHex(mapRoot(primitives, headsOf(primitives, state))));
  }
  const heads = headsOf(primitives, state as DirectoryState);
  whole.keep(await updateMap(primitives, whole, EMPTY_MAP_ROOT, heads));
  assert.deepEqual([...store.nodes.keys()].toSorted(), [...whole.nodes.keys()].toSorted());
  return state as DirectoryState;
}

test('whoever tries whatever, the log and the plain model agree who is in and what they may do', async () => {
  let accepted = 0;
  let tried = 0;
  await fc.assert(
    fc.asyncProperty(fc.commands([attempts], { maxCommands: 60, size: 'max' }), async (commands) => {
      const world = seededWorld({ seed: 'model', members: 1 });
      const model = newModel('0', '0', world.clock.now());
      gather(model, world);
      const start = world.wires.length;
      fc.modelRun(() => ({ model, real: world }), commands);
      expect(digest(replay(primitives, world.wires))).toBe(digest(world.state));
      expect(digest(await keepsItsMap(world.wires))).toBe(digest(world.state));
      accepted += world.wires.length - start;
      tried += [...commands].length;
    }),
    { seed: SEED, numRuns: 60 },
  );
  // The walk must do both, or it shows nothing.
  expect(accepted).toBeGreaterThan(tried / 10);
  expect(accepted).toBeLessThan(tried);
});
