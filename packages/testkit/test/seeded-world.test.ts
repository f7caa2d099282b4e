import { toHex } from '@keytide/crypto-core';
import { createRoleChange, DirectoryError, isActive, replay } from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';

const options = { seed: 'world', members: 4, devicesPerMember: 2, admins: 2 };

test('has the members, devices and admins that were asked for', () => {
  const world = seededWorld(options);
  expect(world.members).toHaveLength(4);
  expect(world.state.devices.size).toBe(8);
  expect(world.state.actingAdmins).toHaveLength(2);
  for (const { id, handle, devices } of world.members) {
    expect(world.state.members.get(id)).toMatchObject({ handle, activeDevices: devices.map((d) => d.id) });
    for (const device of devices) {
      expect(isActive(world.state, device.id)).toBe(true);
      expect(world.state.devices.get(device.id)?.sealing.publicKey).toEqual(device.decapsulator.publicKey);
      expect(world.primitives.signer(device.signingSeed).publicKey).toEqual(device.signer.publicKey);
    }
  }
});

test('is the same again for the same options, byte for byte', () => {
  expect(seededWorld(options).wires.map(toHex)).toEqual(seededWorld(options).wires.map(toHex));
  expect(seededWorld({ ...options, seed: 'other' }).org).not.toBe(seededWorld(options).org);
});

test('grows by entries that the rules accept, and by no others', () => {
  const world = seededWorld(options);
  const [founder, , member] = world.members;
  if (member === undefined) throw new Error('four members were asked for');
  world.clock.advance(5);
  const wire = createRoleChange({ ...world.as(founder.devices[0]), member: member.id, role: 'admin' });
  expect(world.append(wire).timeMs).toBe(world.clock.now());
  expect(world.state.actingAdmins).toHaveLength(3);
  expect(() => world.append(wire)).toThrow(DirectoryError);
  expect(replay(world.primitives, world.wires).headHash).toBe(world.state.headHash);
});
