import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  advanceAnchor,
  createPolicyChange,
  createRemoveMember,
  createRevokeDevice,
  createRoleChange,
  DirectoryError,
  encodeAnchor,
  parseAnchor,
  settle,
  witnessedUntil,
  type Anchor,
} from '@keytide/key-directory';
import type { SeededMember, SeededWorld } from '@keytide/testkit';
import { describe, expect, test } from 'vitest';
import { addDevice, invite, join, stranger } from '../forge.ts';
import { answering, HOUR, nowSeconds, refusalOf, relay, ShownLog, witnessedWorld } from './shown-log.ts';

type People = readonly [SeededMember, SeededMember, SeededMember, SeededMember];

/** Two admins with two devices each, a third admin, a member; what they show, and the anchor before `change`. */
async function stage(
  seed: string,
  change: (world: SeededWorld, people: People) => void = grow,
  needed = 2,
): Promise<{ world: SeededWorld; people: People; log: ShownLog; anchor: Anchor; now: number }> {
  const world = witnessedWorld({ seed, members: 4, admins: 3, devicesPerMember: 2, needed });
  const people = world.members as unknown as People;
  const log = await new ShownLog().grow(world);
  const anchor = await settle({ primitives, source: log }, log.note([], 0), []);
  world.clock.advance(60_000);
  change(world, people);
  await log.grow(world);
  return { world, people, log, anchor, now: nowSeconds(world) };
}

function grow(world: SeededWorld): void {
  for (let i = 0; i < 3; i += 1) world.append(join(world, invite(world), stranger(world)));
}

const founders = ([first, second]: People): [SeededMember['devices'][0], SeededMember['devices'][0]] => [
  first.devices[0],
  second.devices[0],
];

describe('a step of trust', () => {
  test('leads to what enough admins have cosigned, and tells of the organisation there', async () => {
    const { world, people, log, anchor, now } = await stage('step');
    const note = log.note(founders(people), now - 10);
    const next = await advanceAnchor({ primitives, source: log }, anchor, note, now);
    expect(next.checkpoint).toEqual(log.checkpoint());
    expect(next.policy).toEqual(world.state.policy);
    expect(next.organisation.activeDevices).toBe(11);
    expect(next.organisation.admins).toEqual(world.state.actingAdmins);
    expect(next.cosigners.map(({ device }) => device)).toEqual(founders(people).map(({ id }) => id));
    expect(witnessedUntil(anchor)).toBe(0);
    expect(witnessedUntil(next)).toBe(now - 10 + HOUR);
    expect(parseAnchor(primitives, encodeAnchor(next))).toEqual(next);
  });

  test('from the same checkpoint takes newer cosignatures', async () => {
    const { people, log, anchor, now } = await stage('renewed');
    const tools = { primitives, source: log };
    const next = await advanceAnchor(tools, anchor, log.note(founders(people), now), now);
    const later = now + 2 * HOUR;
    expect(await refusalOf(advanceAnchor(tools, next, next.note, later))).toBe('unwitnessed');
    const again = await advanceAnchor(tools, next, log.note(founders(people), later), later);
    expect(witnessedUntil(again)).toBe(later + HOUR);
  });

  test('follows a new policy and new admins', async () => {
    const policy = { witnesses: { needed: 3, maxAgeSeconds: 2 * HOUR } };
    const { people, log, anchor, now } = await stage('new policy', (world, [first, , , fourth]) => {
      const admin = world.as(first.devices[0]);
      world.append(createRoleChange({ ...admin, member: fourth.id, role: 'admin' }));
      world.append(
        createPolicyChange({ ...world.as(first.devices[0]), policy: { ...world.state.policy, ...policy } }),
      );
    });
    const tools = { primitives, source: log };
    const by = [...founders(people), people[3].devices[0]];
    expect(await refusalOf(advanceAnchor(tools, anchor, log.note(founders(people), now), now))).toBe(
      'unwitnessed',
    );
    const next = await advanceAnchor(tools, anchor, log.note(by, now), now);
    expect(next.policy.witnesses).toEqual(policy.witnesses);
    expect(next.cosigners.map(({ device }) => device)).toEqual(by.map(({ id }) => id));
    expect(witnessedUntil(next)).toBe(now + 2 * HOUR);
  });

  test('asks as many questions in a long log as in a short one', async () => {
    const asked = await Promise.all(
      [4, 60].map(async (more) => {
        const { people, log, anchor, now, world } = await stage(`asked ${more}`);
        const tools = { primitives, source: log };
        const first = await advanceAnchor(tools, anchor, log.note(founders(people), now), now);
        for (let i = 0; i < more; i += 1) invite(world);
        await log.grow(world);
        log.asked = 0;
        await advanceAnchor(tools, first, log.note(founders(people), now), now);
        return log.asked;
      }),
    );
    // One tile; a head of each cosigner under the new root, and the organisation's.
    expect(asked).toEqual([4, 4]);
  });
});

describe('what is not witnessed', () => {
  const noted = async (
    seed: string,
    choose: (people: People) => readonly SeededMember['devices'][0][],
    {
      age = 0,
      change = grow,
      needed = 2,
    }: { age?: number; change?: Parameters<typeof stage>[1]; needed?: number } = {},
  ): Promise<string | null> => {
    const { people, log, anchor, now } = await stage(seed, change, needed);
    const note = log.note(choose(people), now - age);
    return await refusalOf(advanceAnchor({ primitives, source: log }, anchor, note, now));
  };

  test('too few, too old, or from the future', async () => {
    expect(await noted('none', () => [])).toBe('unwitnessed');
    expect(await noted('one', ([first]) => [first.devices[0]])).toBe('unwitnessed');
    expect(await noted('old', founders, { age: HOUR + 1 })).toBe('unwitnessed');
    expect(await noted('young', founders, { age: HOUR })).toBeNull();
    expect(await noted('ahead', founders, { age: -HOUR - 1 })).toBe('unwitnessed');
  });

  test('two devices of one admin are one', async () => {
    expect(await noted('twice', ([first]) => [...first.devices])).toBe('unwitnessed');
  });

  test('a member is no admin', async () => {
    expect(await noted('member', ([first, , , fourth]) => [first.devices[0], fourth.devices[0]])).toBe(
      'unwitnessed',
    );
  });

  test('who was an admin, and is none now, does not count', async () => {
    const change = (world: SeededWorld, [first, second]: People): void => {
      world.append(createRoleChange({ ...world.as(first.devices[0]), member: second.id, role: 'member' }));
    };
    expect(await noted('demoted', founders, { change })).toBe('unwitnessed');
    const removal = (world: SeededWorld, [first, second]: People): void => {
      world.append(createRemoveMember({ ...world.as(first.devices[0]), member: second.id }));
    };
    expect(await noted('removed', founders, { change: removal })).toBe('unwitnessed');
    const revocation = (world: SeededWorld, [first, second]: People): void => {
      world.append(createRevokeDevice({ ...world.as(first.devices[0]), device: second.devices[0].id }));
    };
    expect(await noted('revoked', founders, { change: revocation })).toBe('unwitnessed');
  });

  test('who has become an admin since does not count yet', async () => {
    const change = (world: SeededWorld, [first, , , fourth]: People): void => {
      world.append(createRoleChange({ ...world.as(first.devices[0]), member: fourth.id, role: 'admin' }));
    };
    const choose = ([first, , , fourth]: People): SeededMember['devices'][0][] => [
      first.devices[0],
      fourth.devices[0],
    ];
    expect(await noted('promoted', choose, { change })).toBe('unwitnessed');
  });

  test('an admin device that came since does not count yet', async () => {
    let added = null as SeededMember['devices'][0] | null;
    const change = (world: SeededWorld, [, second]: People): void => {
      added = stranger(world);
      world.append(addDevice(world, second.devices[0], second.id, added));
    };
    const choose = ([first]: People): SeededMember['devices'][0][] => [
      first.devices[0],
      added as SeededMember['devices'][0],
    ];
    expect(await noted('new device', choose, { change })).toBe('unwitnessed');
  });

  test('all admins are enough where the policy asks for more than there are', async () => {
    expect(
      await noted('all', ([a, b, c]) => [a, b, c].map(({ devices }) => devices[0]), { needed: 16 }),
    ).toBeNull();
    expect(await noted('all but one', founders, { needed: 16 })).toBe('unwitnessed');
  });

  test('a policy that asks for nobody is not one for proofs', async () => {
    const change = (world: SeededWorld, [first]: People): void => {
      const { witnesses: _, ...policy } = world.state.policy;
      world.append(createPolicyChange({ ...world.as(first.devices[0]), policy }));
    };
    expect(await noted('nobody', founders, { change })).toBe('unwitnessed');
  });
});

describe('what contradicts', () => {
  test('an older checkpoint comes back with both notes', async () => {
    const { people, log, anchor, now } = await stage('older');
    const tools = { primitives, source: log };
    const next = await advanceAnchor(tools, anchor, log.note(founders(people), now), now);
    const old = log.note(founders(people), now, anchor.checkpoint);
    const error = await advanceAnchor(tools, next, old, now).catch((thrown: DirectoryError) => thrown);
    expect(error).toMatchObject({ code: 'rolled-back', evidence: [next.note, old] });
  });

  test('another root or map of the same size', async () => {
    const { people, log, anchor, now } = await stage('same size', () => {});
    const tools = { primitives, source: log };
    for (const part of ['root', 'mapRoot'] as const) {
      const note = log.note(founders(people), now, { ...log.checkpoint(), [part]: new Uint8Array(32) });
      const error = await advanceAnchor(tools, anchor, note, now).catch((thrown: DirectoryError) => thrown);
      expect(error).toMatchObject({ code: 'forked', evidence: [anchor.note, note] });
    }
  });

  test('a longer log that does not continue the old one, whoever has cosigned it', async () => {
    const { people, anchor, now, log } = await stage('longer');
    const other = { ...anchor, checkpoint: { ...anchor.checkpoint, root: new Uint8Array(32).fill(7) } };
    const note = log.note(founders(people), now);
    expect(await refusalOf(advanceAnchor({ primitives, source: log }, other, note, now))).toBe('bad-proof');
  });

  test('a checkpoint of another log', async () => {
    const { people, log, anchor, now } = await stage('another log');
    const foreign = { ...log.checkpoint(), origin: `keytide-log/v1/${'0'.repeat(64)}` };
    const note = log.note(founders(people), now, foreign);
    expect(await refusalOf(advanceAnchor({ primitives, source: log }, anchor, note, now))).toBe(
      'wrong-organisation',
    );
  });

  test('a key that is not the relay’s', async () => {
    const { world, people, log, anchor, now } = await stage('wrong relay');
    const note = log.note(founders(people), now, log.checkpoint(), stranger(world).signer);
    expect(await refusalOf(advanceAnchor({ primitives, source: log }, anchor, note, now))).toBe(
      'bad-signature',
    );
  });

  test('a relay that the policy has moved to is the relay', async () => {
    const { people, log, anchor, now } = await stage('moved', (world, [first]) => {
      const policy = { ...world.state.policy, relayKey: first.devices[1]?.signer.publicKey as Uint8Array };
      expect(() => createPolicyChange({ ...world.as(first.devices[0]), policy })).toThrow(DirectoryError);
      const moved = primitives.signer(new Uint8Array(32).fill(9));
      world.append(
        createPolicyChange({
          ...world.as(first.devices[0]),
          policy: { ...policy, relayKey: moved.publicKey },
        }),
      );
    });
    const tools = { primitives, source: log };
    const moved = primitives.signer(new Uint8Array(32).fill(9));
    const old = log.note(founders(people), now, log.checkpoint(), relay);
    expect(await refusalOf(advanceAnchor(tools, anchor, old, now))).toBe('bad-signature');
    const note = log.note(founders(people), now, log.checkpoint(), moved);
    expect((await advanceAnchor(tools, anchor, note, now)).policy.relayKey).toEqual(moved.publicKey);
  });
});

/** Every way in which one answer can be another: bytes changed here and there, cut, longer, empty, another answer, none. */
function* forgeries(answer: Uint8Array, others: readonly Uint8Array[]): Iterable<Uint8Array | null> {
  const step = Math.max(1, Math.floor(answer.length / 24));
  for (let at = 0; at < answer.length; at += step) {
    const changed = answer.slice();
    changed[at] = (changed[at] as number) ^ 0x41;
    yield changed;
  }
  yield answer.slice(0, -1);
  yield new Uint8Array(0);
  yield null;
  for (const other of others) yield other;
}

describe('a hostile source', () => {
  test('changes no answer of a step without being refused, or without any difference', async () => {
    const { people, log, anchor, now } = await stage('hostile', (world, [first]) => {
      grow(world);
      const policy = { ...world.state.policy, leaseSeconds: 60 };
      world.append(createPolicyChange({ ...world.as(first.devices[0]), policy }));
    });
    const note = log.note(founders(people), now);
    const honest = answering(log, (answer) => answer);
    const expected = await advanceAnchor({ primitives, source: honest }, anchor, note, now);
    expect(honest.answers.length).toBeGreaterThan(9);
    let refused = 0;
    for (const [at, answer] of honest.answers.entries()) {
      const others = honest.answers.filter((other, i) => i !== at && other !== null) as Uint8Array[];
      for (const forged of forgeries(answer as Uint8Array, others)) {
        const source = answering(log, (given, i) => (i === at ? forged : given));
        try {
          expect(await advanceAnchor({ primitives, source }, anchor, note, now)).toEqual(expected);
        } catch (error) {
          if (!(error instanceof DirectoryError) && !(error instanceof TypeError && forged === null))
            throw error;
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(300);
  });
});
