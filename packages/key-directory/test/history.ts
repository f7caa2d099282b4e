import {
  createRemoveMember,
  createRevokeDevice,
  createRevokeInvite,
  createRoleChange,
} from '@keytide/key-directory';
import { seededWorld, type SeededWorld } from '@keytide/testkit';
import { addDevice, invite, join, stranger } from './forge.ts';

/** A small organisation whose log has every kind of entry at least once. */
export function eventfulWorld(seed: string): SeededWorld {
  const world = seededWorld({ seed, members: 3, devicesPerMember: 2, admins: 2 });
  const [founder, second, third] = world.members;
  const admin = founder.devices[0];
  if (second === undefined || third === undefined) throw new Error('three members were asked for');

  const taken = invite(world, 'member', second.devices[0]);
  world.append(createRevokeInvite({ ...world.as(admin), invite: taken.id }));
  const open = invite(world, 'exporter');
  world.clock.advance(1000);
  const newcomer = stranger(world);
  world.append(join(world, open, newcomer));
  const { member } = world.state.devices.get(newcomer.id) ?? {};
  if (member === undefined) throw new Error('the newcomer has joined');
  world.append(addDevice(world, newcomer, member, stranger(world)));
  world.append(createRevokeDevice({ ...world.as(newcomer), device: newcomer.id }));
  world.append(createRoleChange({ ...world.as(admin), member: second.id, role: 'member' }));
  world.append(createRemoveMember({ ...world.as(admin), member: third.id }));
  return world;
}
