import type { MemberId } from '@keytide/crypto-core';
import {
  acceptDeviceInvite,
  acceptInvite,
  createDeviceInvite,
  createInvite,
  createRemoveMember,
  createRevokeDevice,
  createRoleChange,
  isActive,
} from '@keytide/key-directory';
import { seededDevice, type SeededDevice, type SeededWorld } from '@keytide/testkit';

/**
 * The next one or two entries of a history that the world's randomness chooses; each is in the world already.
 * The founder writes what takes an admin, and stays one.
 */
export function nextEntries(world: SeededWorld): Uint8Array[] {
  const { primitives, random, clock } = world;
  const founder = world.members[0].devices[0];
  const pick = <T>(from: readonly T[]): T => from[(random(1)[0] as number) % from.length] as T;
  const others = [...world.state.members.values()].filter(
    ({ id, removedAt }) => removedAt === null && id !== world.members[0].id,
  );
  const nowMs = clock.now();
  const wires: Uint8Array[] = [];
  const write = (wire: Uint8Array): void => {
    world.append(wire);
    wires.push(wire);
  };
  const newDevice = (): SeededDevice => seededDevice(primitives, random, nowMs);
  const addDevice = (member: MemberId): void => {
    const expiresMs = nowMs + 1_000;
    const { wire, seed } = createDeviceInvite({ ...world.as(founder), random, member, expiresMs });
    write(wire);
    write(acceptDeviceInvite({ primitives, state: world.state, seed, device: newDevice().own, nowMs }));
  };
  const admit = (): void => {
    const expiresMs = nowMs + 1_000;
    const { wire, seed } = createInvite({ ...world.as(founder), random, role: 'member', expiresMs });
    write(wire);
    const device = newDevice().own;
    write(acceptInvite({ primitives, random, state: world.state, seed, device, handle: 'later', nowMs }));
  };
  const member = others.length === 0 ? null : pick(others);
  const kind = member === null ? 0 : (random(1)[0] as number) % 5;
  if (member === null || kind === 0) admit();
  else if (kind === 1) addDevice(member.id);
  else if (kind === 2)
    write(
      createRoleChange({
        ...world.as(founder),
        member: member.id,
        role: member.role === 'member' ? 'exporter' : 'member',
      }),
    );
  else if (kind === 3) write(createRemoveMember({ ...world.as(founder), member: member.id }));
  else {
    const device = member.activeDevices.find((id) => isActive(world.state, id));
    if (device === undefined) addDevice(member.id);
    else write(createRevokeDevice({ ...world.as(founder), device }));
  }
  return wires;
}
