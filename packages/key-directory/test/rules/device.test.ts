import { Secret, type MemberId } from '@keytide/crypto-core';
import {
  createRemoveMember,
  createRevokeDevice,
  createRoleChange,
  inviteIdOf,
  isActive,
  MAX_ACTIVE_DEVICES,
  publishKeys,
  wasActive,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  acceptDevice,
  addDevice,
  addDeviceBody,
  codeFrom,
  forge,
  HOUR_MS,
  invite,
  inviteDevice,
  join,
  refusal,
  stranger,
} from '../forge.ts';

let world = seededWorld({ seed: 'device', members: 3, devicesPerMember: 2 });
let admin: SeededMember;
let member: SeededMember;
let other: SeededMember;
let phone: SeededDevice;

beforeEach(() => {
  world = seededWorld({ seed: 'device', members: 3, devicesPerMember: 2 });
  [admin, member, other] = world.members as unknown as [SeededMember, SeededMember, SeededMember];
  phone = stranger(world);
});

describe('invite-device', () => {
  const inviteFor = (author: SeededDevice, id: MemberId, expiresMs = world.clock.now()): string | null => {
    const { publicKey } = world.primitives.signer(world.random(32));
    return refusal(world, forge(world, author, { kind: 'invite-device', publicKey, member: id, expiresMs }));
  };

  test('a device of the same member may, and an admin may', () => {
    expect(inviteFor(member.devices[0], member.id)).toBe(null);
    expect(inviteFor(admin.devices[0], member.id)).toBe(null);
    expect(inviteFor(other.devices[0], member.id)).toBe('not-permitted');
  });

  test('nothing is added to those who are gone or never were', () => {
    expect(inviteFor(admin.devices[0], 'ab'.repeat(16) as MemberId)).toBe('unknown-member');
    const early = inviteDevice(world, admin.devices[0], member.id);
    world.append(createRemoveMember({ ...world.as(admin.devices[0]), member: member.id }));
    expect(inviteFor(admin.devices[0], member.id)).toBe('unknown-member');
    expect(codeFrom(() => acceptDevice(world, early, phone))).toBe('unknown-member');
  });

  test('it does not expire before it is issued, and its key is fresh', () => {
    expect(inviteFor(member.devices[0], member.id, world.clock.now() - 1)).toBe('invite-expired');
    const { publicKey } = member.devices[0].signer;
    const body = {
      kind: 'invite-device' as const,
      publicKey,
      member: member.id,
      expiresMs: world.clock.now(),
    };
    expect(refusal(world, forge(world, admin.devices[0], body))).toBe('id-reused');
  });

  test('whoever issued it takes it back, and an admin does', () => {
    const { id } = inviteDevice(world, member.devices[0], member.id);
    const revoke = { kind: 'revoke-invite' as const, invite: id };
    expect(refusal(world, forge(world, other.devices[0], revoke))).toBe('not-permitted');
    expect(refusal(world, forge(world, admin.devices[0], revoke))).toBe(null);
    expect(refusal(world, forge(world, member.devices[1] as SeededDevice, revoke))).toBe(null);
  });
});

describe('add-device', () => {
  test('the holder of the invite’s key brings a device in, once', () => {
    const created = inviteDevice(world, member.devices[0], member.id);
    world.append(acceptDevice(world, created, phone));
    const second = stranger(world);
    expect(codeFrom(() => acceptDevice(world, created, second))).toBe('invite-used');
    world.append(addDevice(world, admin.devices[0], member.id, second));
    const expected = [...member.devices, phone, second].map(({ id }) => id);
    expect(world.state.members.get(member.id)?.activeDevices).toEqual(expected);
    expect(world.state.devices.get(phone.id)).toMatchObject({ member: member.id, revokedAt: null });
  });

  test('a ghost cannot add itself, to anybody', () => {
    const known = inviteDevice(world, admin.devices[0], admin.id);
    const seed = Secret.own(world.random(32));
    const unknown = { ...known, seed };
    const body = addDeviceBody(world, unknown, phone, { member: admin.id });
    expect(refusal(world, forge(world, phone, body))).toBe('bad-signature');
    const { publicKey } = seed.use((bytes) => world.primitives.signer(bytes));
    const id = inviteIdOf(world.primitives, publicKey);
    const invented = addDeviceBody(world, { ...unknown, id }, phone, { member: admin.id });
    expect(refusal(world, forge(world, phone, invented))).toBe('invite-unknown');
  });

  test('the invite’s key signs for this member, these keys and this head', () => {
    const created = inviteDevice(world, admin.devices[0], member.id);
    const ghost = stranger(world);
    const forOther = addDeviceBody(world, created, phone, { member: other.id });
    expect(refusal(world, forge(world, phone, forOther))).toBe('bad-signature');
    const swapped = publishKeys(world.primitives, ghost.own);
    const stolen = addDeviceBody(world, created, phone, { member: member.id, swapped });
    expect(refusal(world, forge(world, ghost, stolen))).toBe('bad-signature');
    const { sealingPublicKey } = ghost.own;
    const { sealingRecord } = publishKeys(world.primitives, { ...phone.own, sealingPublicKey });
    const renewed = addDeviceBody(world, created, phone, { member: member.id, swapped: { sealingRecord } });
    expect(refusal(world, forge(world, phone, renewed))).toBe('bad-signature');
    const early = addDeviceBody(world, created, phone, { member: member.id });
    expect(refusal(world, forge(world, phone, early))).toBe(null);
    expect(refusal(world, forge(world, ghost, early))).toBe('unknown-author');
    invite(world);
    expect(refusal(world, forge(world, phone, early))).toBe('bad-signature');
  });

  test('an invite for a member is none for a device, nor the other way round', () => {
    expect(codeFrom(() => acceptDevice(world, invite(world), phone))).toBe('not-permitted');
    const body = addDeviceBody(world, invite(world), phone, { member: member.id });
    expect(refusal(world, forge(world, phone, body))).toBe('not-permitted');
    const created = inviteDevice(world, admin.devices[0], member.id);
    expect(codeFrom(() => join(world, created, phone))).toBe('not-permitted');
  });

  test('it dies with the device that issued it, and an admin’s for others with the role', () => {
    const byPhone = inviteDevice(world, member.devices[0], member.id);
    const own = inviteDevice(world, member.devices[1] as SeededDevice, member.id);
    const byAdmin = inviteDevice(world, admin.devices[0], member.id);
    const ofAdmin = inviteDevice(world, admin.devices[0], admin.id);
    world.append(createRevokeDevice({ ...world.as(admin.devices[0]), device: member.devices[0].id }));
    expect(codeFrom(() => acceptDevice(world, byPhone, phone))).toBe('invite-revoked');
    expect(codeFrom(() => acceptDevice(world, own, phone))).toBe(null);
    world.append(createRoleChange({ ...world.as(admin.devices[0]), member: other.id, role: 'admin' }));
    world.append(createRoleChange({ ...world.as(other.devices[0]), member: admin.id, role: 'member' }));
    expect(codeFrom(() => acceptDevice(world, byAdmin, phone))).toBe('invite-revoked');
    expect(codeFrom(() => acceptDevice(world, ofAdmin, phone))).toBe(null);
  });

  test('it expires', () => {
    const created = inviteDevice(world, member.devices[0], member.id);
    world.clock.advance(HOUR_MS + 1);
    expect(codeFrom(() => acceptDevice(world, created, phone))).toBe('invite-expired');
  });

  test('a present, past or invite key is refused', () => {
    const author = admin.devices[0];
    const present = member.devices[1] as SeededDevice;
    expect(codeFrom(() => addDevice(world, author, member.id, present))).toBe('id-reused');
    world.append(createRevokeDevice({ ...world.as(author), device: present.id }));
    expect(codeFrom(() => addDevice(world, author, member.id, present))).toBe('id-reused');
    const signer = invite(world).seed.use((seed) => world.primitives.signer(seed));
    const lazy = { ...phone, signer, own: { ...phone.own, signer } };
    expect(codeFrom(() => addDevice(world, author, member.id, lazy))).toBe('id-reused');
  });

  test('a sealing key that is not in force is refused', () => {
    const own = { ...phone.own, notBeforeMs: world.clock.now() + 1 };
    expect(codeFrom(() => addDevice(world, member.devices[0], member.id, { ...phone, own }))).toBe(
      'bad-sealing-record',
    );
  });

  test('a member has so many active devices and no more; revoked ones do not count', () => {
    const author = member.devices[0];
    for (let count = 2; count < MAX_ACTIVE_DEVICES; count += 1)
      world.append(addDevice(world, author, member.id, stranger(world)));
    expect(codeFrom(() => addDevice(world, author, member.id, phone))).toBe('too-many-devices');
    const last = world.state.members.get(member.id)?.activeDevices.at(-1) as never;
    world.append(createRevokeDevice({ ...world.as(author), device: last }));
    expect(codeFrom(() => addDevice(world, author, member.id, phone))).toBe(null);
  });
});

describe('revoke-device', () => {
  const revoke = (author: SeededDevice, device: SeededDevice): Uint8Array =>
    forge(world, author, { kind: 'revoke-device', device: device.id });

  test('another device of the same member may, the device itself may, an admin may', () => {
    const [first, second] = member.devices as unknown as [SeededDevice, SeededDevice];
    expect(refusal(world, revoke(second, first))).toBe(null);
    expect(refusal(world, revoke(first, first))).toBe(null);
    const size = world.append(revoke(admin.devices[0], first)).size;
    expect(isActive(world.state, first.id)).toBe(false);
    expect(isActive(world.state, second.id)).toBe(true);
    expect(wasActive(world.state, first.id, size - 1)).toBe(true);
    expect(wasActive(world.state, first.id, size)).toBe(false);
    expect(wasActive(world.state, first.id, 1)).toBe(false);
    expect(world.state.members.get(member.id)?.activeDevices).toEqual([second.id]);
  });

  test('another member may not', () => {
    expect(refusal(world, revoke(other.devices[0], member.devices[0]))).toBe('not-permitted');
  });

  test('a revoked device signs nothing any more', () => {
    const stolen = member.devices[0];
    world.append(revoke(admin.devices[0], stolen));
    expect(refusal(world, revoke(stolen, member.devices[1] as SeededDevice))).toBe('author-not-active');
    const { publicKey } = world.primitives.signer(world.random(32));
    const expiresMs = world.clock.now();
    const body = { kind: 'invite-device' as const, publicKey, member: member.id, expiresMs };
    expect(refusal(world, forge(world, stolen, body))).toBe('author-not-active');
  });

  test('only an active device can be revoked', () => {
    expect(refusal(world, revoke(admin.devices[0], phone))).toBe('unknown-device');
    world.append(revoke(admin.devices[0], member.devices[0]));
    expect(refusal(world, revoke(admin.devices[0], member.devices[0]))).toBe('unknown-device');
  });

  test('the last active device of the last admin stays', () => {
    const [first, second] = admin.devices as unknown as [SeededDevice, SeededDevice];
    world.append(revoke(first, second));
    expect(refusal(world, revoke(first, first))).toBe('last-admin');
  });

  test('a member may be left without a device, and get one from an admin', () => {
    const [first, second] = member.devices as unknown as [SeededDevice, SeededDevice];
    world.append(revoke(first, second));
    world.append(revoke(first, first));
    expect(world.state.members.get(member.id)).toMatchObject({ removedAt: null, activeDevices: [] });
    world.append(addDevice(world, admin.devices[0], member.id, phone));
    expect(isActive(world.state, phone.id)).toBe(true);
  });
});
