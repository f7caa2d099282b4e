import { concatBytes, createSealingRecord, signBytes } from '@keytide/crypto-core';
import {
  createRemoveMember,
  createRevokeDevice,
  createRevokeInvite,
  createRoleChange,
  inviteIdOf,
  isActive,
  isInviteOpen,
  joinClaim,
  publishKeys,
  recipientsOf,
  type CreatedInvite,
  type Invite,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { codeFrom, forge, HOUR_MS, invite, join, joinBody, refusal, stranger } from '../forge.ts';

let world = seededWorld({ seed: 'join', members: 3, admins: 2 });
let admin: SeededDevice;
let secondAdmin: SeededMember;
let created: CreatedInvite;
let joiner: SeededDevice;

beforeEach(() => {
  world = seededWorld({ seed: 'join', members: 3, admins: 2 });
  admin = world.members[0].devices[0];
  secondAdmin = world.members[1] as SeededMember;
  created = invite(world);
  joiner = stranger(world);
});

describe('join', () => {
  test('brings a member with the role of the invite and one device', () => {
    for (const role of ['admin', 'member', 'exporter'] as const) {
      const device = stranger(world);
      world.append(join(world, invite(world, role), device));
      const member = world.state.members.get(world.state.devices.get(device.id)?.member as never);
      expect(member).toMatchObject({ role, handle: 'newcomer', activeDevices: [device.id] });
      expect(isActive(world.state, device.id)).toBe(true);
      const recipients = recipientsOf(world.state, world.state.everyone);
      expect(recipients.map((recipient) => recipient.device)).toContain(device.id);
    }
    expect(world.state.actingAdmins).toHaveLength(3);
  });

  test('works once', () => {
    world.append(join(world, created, joiner));
    const wire = forge(world, joiner, joinBody(world, created, stranger(world)));
    expect(refusal(world, wire)).toBe('unknown-author');
    const other = stranger(world);
    expect(refusal(world, forge(world, other, joinBody(world, created, other)))).toBe('invite-used');
    expect(codeFrom(() => join(world, created, other))).toBe('invite-used');
  });

  test('without an invite it is refused: a ghost device', () => {
    const key = world.primitives.signer(world.random(32));
    const seed = created.seed;
    const swapped = { invite: inviteIdOf(world.primitives, key.publicKey) };
    const body = joinBody(world, { ...created, seed }, joiner, { swapped });
    expect(refusal(world, forge(world, joiner, body))).toBe('invite-unknown');
  });

  test('an invite that was taken back is refused', () => {
    world.append(createRevokeInvite({ ...world.as(admin), invite: created.id }));
    expect(codeFrom(() => join(world, created, joiner))).toBe('invite-revoked');
  });

  test('it may be used up to its last millisecond', () => {
    const { expiresMs } = world.state.invites.get(created.id) as Invite;
    const body = joinBody(world, created, joiner);
    expect(refusal(world, forge(world, joiner, body, { timeMs: expiresMs }))).toBe(null);
    expect(refusal(world, forge(world, joiner, body, { timeMs: expiresMs + 1 }))).toBe('invite-expired');
    world.clock.advance(HOUR_MS + 1);
    expect(codeFrom(() => join(world, created, joiner))).toBe('invite-expired');
  });
});

describe('a relay in between', () => {
  test("cannot swap the joiner's keys for its own", () => {
    const ghost = stranger(world);
    const swapped = publishKeys(world.primitives, ghost.own);
    const body = joinBody(world, created, joiner, { swapped });
    expect(refusal(world, forge(world, ghost, body))).toBe('bad-signature');
  });

  test.each(['member', 'handle', 'sealingRecord'] as const)('cannot swap the %s', (field) => {
    const other = { ...joiner.own, sealingPublicKey: stranger(world).own.sealingPublicKey };
    const swapped = {
      member: { member: secondAdmin.id },
      handle: { handle: 'somebody else' },
      sealingRecord: { sealingRecord: publishKeys(world.primitives, other).sealingRecord },
    }[field];
    const body = joinBody(world, created, joiner, { swapped });
    expect(refusal(world, forge(world, joiner, body))).toBe('bad-signature');
  });

  test('cannot use the signature at another head, nor can the joiner', () => {
    const body = joinBody(world, created, joiner);
    expect(refusal(world, forge(world, joiner, body))).toBe(null);
    invite(world);
    expect(refusal(world, forge(world, joiner, body))).toBe('bad-signature');
  });

  test('cannot use it in another organisation that has the same invite key', () => {
    const other = seededWorld({ seed: 'other organisation', members: 1 });
    const { publicKey, expiresMs } = world.state.invites.get(created.id) as Invite;
    const founder = other.members[0].devices[0];
    other.append(forge(other, founder, { kind: 'invite', publicKey, role: 'admin', expiresMs }));
    const { primitives } = world;
    const honest = joinBody(other, created, joiner);
    expect(refusal(other, forge(other, joiner, honest))).toBe(null);
    const key = created.seed.use((seed) => primitives.signer(seed));
    const claim = joinClaim({ ...honest, org: world.org, previousHash: other.state.headHash });
    const inviteSignature = signBytes(primitives, key, 'inviteSignature', claim);
    expect(refusal(other, forge(other, joiner, { ...honest, inviteSignature }))).toBe('bad-signature');
  });

  test('cannot sign for the joiner', () => {
    const body = joinBody(world, created, joiner);
    const wire = forge(world, stranger(world), body, { claimedAuthor: joiner.id });
    expect(refusal(world, wire)).toBe('bad-signature');
  });
});

describe('an invite dies with the rights of its issuer', () => {
  let theirs: CreatedInvite;
  const open = (): boolean =>
    isInviteOpen(world.state, world.state.invites.get(theirs.id) as Invite, world.clock.now());

  beforeEach(() => {
    theirs = invite(world, 'admin', secondAdmin.devices[0]);
  });

  test('and not before', () => {
    expect(open()).toBe(true);
    expect(codeFrom(() => join(world, theirs, joiner))).toBe(null);
  });

  test('when the issuer is removed', () => {
    world.append(createRemoveMember({ ...world.as(admin), member: secondAdmin.id }));
    expect(open()).toBe(false);
    expect(codeFrom(() => join(world, theirs, joiner))).toBe('invite-revoked');
  });

  test('when the device that issued it is revoked: it may have been stolen', () => {
    world.append(createRevokeDevice({ ...world.as(admin), device: secondAdmin.devices[0].id }));
    expect(open()).toBe(false);
    expect(codeFrom(() => join(world, theirs, joiner))).toBe('invite-revoked');
  });

  test('when the issuer is demoted, and for good', () => {
    world.append(createRoleChange({ ...world.as(admin), member: secondAdmin.id, role: 'member' }));
    expect(open()).toBe(false);
    expect(codeFrom(() => join(world, theirs, joiner))).toBe('invite-revoked');
    world.append(createRoleChange({ ...world.as(admin), member: secondAdmin.id, role: 'admin' }));
    expect(open()).toBe(false);
    expect(codeFrom(() => join(world, theirs, joiner))).toBe('invite-revoked');
    const fresh = invite(world, 'admin', secondAdmin.devices[0]);
    expect(codeFrom(() => join(world, fresh, joiner))).toBe(null);
  });
});

describe('the keys and ids of a joiner', () => {
  test('an active member cannot be joined into', () => {
    const signed = { member: secondAdmin.id };
    const wire = forge(world, joiner, joinBody(world, created, joiner, { signed }));
    expect(refusal(world, wire)).toBe('already-member');
  });

  test('the id of a removed member is never used again', () => {
    world.append(createRemoveMember({ ...world.as(admin), member: secondAdmin.id }));
    const signed = { member: secondAdmin.id };
    const wire = forge(world, joiner, joinBody(world, created, joiner, { signed }));
    expect(refusal(world, wire)).toBe('id-reused');
  });

  test('the signing key of a present or past device is refused', () => {
    const present = secondAdmin.devices[0];
    expect(refusal(world, forge(world, present, joinBody(world, created, present)))).toBe('id-reused');
    world.append(createRevokeDevice({ ...world.as(admin), device: present.id }));
    expect(refusal(world, forge(world, present, joinBody(world, created, present)))).toBe('id-reused');
  });

  test('the key of an invite is not fit for a device: its secret has travelled', () => {
    const signer = created.seed.use((seed) => world.primitives.signer(seed));
    const lazy = { ...joiner, signer, own: { ...joiner.own, signer } };
    expect(codeFrom(() => join(world, created, lazy))).toBe('id-reused');
  });

  test('a sealing key that another device vouches for is refused', () => {
    const { sealingRecord } = publishKeys(world.primitives, stranger(world).own);
    const body = joinBody(world, created, joiner, { signed: { sealingRecord } });
    expect(refusal(world, forge(world, joiner, body))).toBe('bad-sealing-record');
  });

  test('a sealing record for another device, though signed by this one, is refused', () => {
    const { sealingPublicKey: publicKey, notBeforeMs, notAfterMs, signer } = joiner.own;
    const record = { device: admin.id, publicKey, notBeforeMs, notAfterMs };
    const sealingRecord = createSealingRecord(world.primitives, signer, record);
    const body = joinBody(world, created, joiner, { signed: { sealingRecord } });
    expect(refusal(world, forge(world, joiner, body))).toBe('bad-sealing-record');
  });

  test('a sealing key that nobody can seal to is refused', () => {
    const own = { ...joiner.own, sealingPublicKey: new Uint8Array(1216).fill(255) };
    expect(codeFrom(() => join(world, created, { ...joiner, own }))).toBe('bad-sealing-record');
    const mlKem = joiner.own.sealingPublicKey.subarray(0, 1184);
    const smallOrder = { ...own, sealingPublicKey: concatBytes(mlKem, new Uint8Array(32)) };
    expect(codeFrom(() => join(world, created, { ...joiner, own: smallOrder }))).toBe('bad-sealing-record');
  });

  test('a sealing key is in force from its first millisecond to before its last', () => {
    const now = world.clock.now();
    const codes = [
      [now, now + 1],
      [now + 1, now + 2],
      [now - 1, now],
    ].map(([notBeforeMs, notAfterMs]) => {
      const own = { ...joiner.own, notBeforeMs: notBeforeMs as number, notAfterMs: notAfterMs as number };
      return codeFrom(() => join(world, created, { ...joiner, own }));
    });
    expect(codes).toEqual([null, 'bad-sealing-record', 'bad-sealing-record']);
  });

  test('a handle that could pass for something else is refused', () => {
    const body = joinBody(world, created, joiner, { signed: { handle: 'a\u001b[2J' } });
    expect(refusal(world, forge(world, joiner, body))).toBe('bad-handle');
  });
});
