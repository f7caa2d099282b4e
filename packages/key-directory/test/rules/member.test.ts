import type { MemberId } from '@keytide/crypto-core';
import {
  createRemoveMember,
  createRevokeDevice,
  createRoleChange,
  isActive,
  recipientsOf,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { forge, refusal } from '../forge.ts';

let world = seededWorld({ seed: 'member', members: 4, devicesPerMember: 2, admins: 2 });
let admin: SeededMember;
let secondAdmin: SeededMember;
let member: SeededMember;

beforeEach(() => {
  world = seededWorld({ seed: 'member', members: 4, devicesPerMember: 2, admins: 2 });
  [admin, secondAdmin, member] = world.members as unknown as [SeededMember, SeededMember, SeededMember];
});

const remove = (author: SeededDevice, id: MemberId): Uint8Array =>
  forge(world, author, { kind: 'remove-member', member: id });
const role = (author: SeededDevice, id: MemberId, given: 'admin' | 'member' | 'exporter'): Uint8Array =>
  forge(world, author, { kind: 'role', member: id, role: given });

describe('remove-member', () => {
  test('ends the member and all their devices, and nobody else', () => {
    const before = recipientsOf(world.state, world.state.everyone).length;
    const wire = createRemoveMember({ ...world.as(admin.devices[0]), member: member.id });
    const { size } = world.append(wire);
    expect(world.state.members.get(member.id)).toMatchObject({ removedAt: size - 1, activeDevices: [] });
    for (const device of member.devices) {
      expect(isActive(world.state, device.id)).toBe(false);
      expect(world.state.devices.get(device.id)?.revokedAt).toBe(size - 1);
      expect(refusal(world, role(device, member.id, 'exporter'))).toBe('author-not-active');
    }
    const after = recipientsOf(world.state, world.state.everyone).map(({ device }) => device);
    expect(after).toHaveLength(before - 2);
    for (const device of member.devices) expect(after).not.toContain(device.id);
  });

  test('keeps the time at which an earlier device was revoked', () => {
    const [first] = member.devices;
    const revokedAt = world.state.size;
    world.append(createRevokeDevice({ ...world.as(admin.devices[0]), device: first.id }));
    world.append(remove(admin.devices[0], member.id));
    expect(world.state.devices.get(first.id)?.revokedAt).toBe(revokedAt);
  });

  test('takes an admin', () => {
    const third = world.members[3] as SeededMember;
    expect(refusal(world, remove(member.devices[0], third.id))).toBe('not-permitted');
    expect(refusal(world, remove(member.devices[0], member.id))).toBe('not-permitted');
  });

  test('takes a present member', () => {
    expect(refusal(world, remove(admin.devices[0], 'ab'.repeat(16) as MemberId))).toBe('unknown-member');
    world.append(remove(admin.devices[0], member.id));
    expect(refusal(world, remove(admin.devices[0], member.id))).toBe('unknown-member');
  });

  test('leaves an admin', () => {
    expect(refusal(world, remove(admin.devices[0], admin.id))).toBe(null);
    world.append(remove(admin.devices[0], secondAdmin.id));
    expect(world.state.actingAdmins).toHaveLength(1);
    expect(refusal(world, remove(admin.devices[0], admin.id))).toBe('last-admin');
  });

  test('an admin without devices is no admin to be left with', () => {
    for (const device of secondAdmin.devices)
      world.append(createRevokeDevice({ ...world.as(admin.devices[0]), device: device.id }));
    expect(world.state.actingAdmins).toHaveLength(1);
    expect(refusal(world, remove(admin.devices[0], admin.id))).toBe('last-admin');
    expect(refusal(world, remove(admin.devices[0], secondAdmin.id))).toBe(null);
  });
});

describe('role', () => {
  test('an admin gives roles, and the new right counts from the next entry on', () => {
    expect(refusal(world, role(member.devices[0], member.id, 'admin'))).toBe('not-permitted');
    const wire = createRoleChange({ ...world.as(admin.devices[0]), member: member.id, role: 'admin' });
    const { size } = world.append(wire);
    expect(world.state.members.get(member.id)).toMatchObject({ role: 'admin', roleSince: size - 1 });
    expect(world.state.actingAdmins).toHaveLength(3);
    expect(refusal(world, role(member.devices[0], admin.id, 'member'))).toBe(null);
  });

  test('a demoted admin gives no roles, from the next entry on', () => {
    world.append(role(admin.devices[0], secondAdmin.id, 'exporter'));
    expect(refusal(world, role(secondAdmin.devices[0], member.id, 'admin'))).toBe('not-permitted');
    expect(refusal(world, role(secondAdmin.devices[0], secondAdmin.id, 'admin'))).toBe('not-permitted');
  });

  test('an exporter gives no roles', () => {
    world.append(role(admin.devices[0], member.id, 'exporter'));
    expect(refusal(world, role(member.devices[0], member.id, 'admin'))).toBe('not-permitted');
  });

  test('takes a present member', () => {
    world.append(remove(admin.devices[0], member.id));
    expect(refusal(world, role(admin.devices[0], member.id, 'admin'))).toBe('unknown-member');
  });

  test('that changes nothing is refused', () => {
    expect(refusal(world, role(admin.devices[0], secondAdmin.id, 'admin'))).toBe('unchanged');
  });

  test('leaves an admin', () => {
    world.append(role(admin.devices[0], admin.id, 'member'));
    expect(refusal(world, role(secondAdmin.devices[0], secondAdmin.id, 'member'))).toBe('last-admin');
  });
});
