import {
  createRemoveMember,
  createRevokeDevice,
  isActive,
  MAX_ACTIVE_DEVICES,
  publishKeys,
  wasActive,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { addDevice, addDeviceBody, codeFrom, forge, invite, refusal, stranger } from '../forge.ts';

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

describe('add-device', () => {
  test('a device of the same member may, and an admin may', () => {
    world.append(addDevice(world, member.devices[0], member.id, phone));
    const second = stranger(world);
    world.append(addDevice(world, admin.devices[0], member.id, second));
    const expected = [...member.devices, phone, second].map(({ id }) => id);
    expect(world.state.members.get(member.id)?.activeDevices).toEqual(expected);
    expect(world.state.devices.get(phone.id)).toMatchObject({ member: member.id, revokedAt: null });
  });

  test('another member may not', () => {
    const body = addDeviceBody(world, member.id, phone);
    expect(refusal(world, forge(world, other.devices[0], body))).toBe('not-permitted');
  });

  test('a ghost cannot add itself, to anybody', () => {
    const body = addDeviceBody(world, admin.id, phone);
    expect(refusal(world, forge(world, phone, body))).toBe('unknown-author');
  });

  test('nothing is added to those who are gone or never were', () => {
    world.append(createRemoveMember({ ...world.as(admin.devices[0]), member: member.id }));
    const gone = forge(world, admin.devices[0], addDeviceBody(world, member.id, phone));
    expect(refusal(world, gone)).toBe('unknown-member');
    const never = forge(world, admin.devices[0], addDeviceBody(world, 'ab'.repeat(16) as never, phone));
    expect(refusal(world, never)).toBe('unknown-member');
  });

  test('the new device must have the key and want to belong to this member, at this head', () => {
    const author = admin.devices[0];
    const forOther = addDeviceBody(world, other.id, phone, { swapped: { member: member.id } });
    expect(refusal(world, forge(world, author, forOther))).toBe('bad-signature');
    const ghost = stranger(world);
    const swapped = publishKeys(world.primitives, ghost.own);
    expect(refusal(world, forge(world, author, addDeviceBody(world, member.id, phone, { swapped })))).toBe(
      'bad-signature',
    );
    const renewed = publishKeys(world.primitives, {
      ...phone.own,
      sealingPublicKey: ghost.own.sealingPublicKey,
    });
    const body = addDeviceBody(world, member.id, phone, {
      swapped: { sealingRecord: renewed.sealingRecord },
    });
    expect(refusal(world, forge(world, author, body))).toBe('bad-signature');
    const early = addDeviceBody(world, member.id, phone);
    invite(world);
    expect(refusal(world, forge(world, author, early))).toBe('bad-signature');
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
    const body = addDeviceBody(world, member.id, phone);
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
