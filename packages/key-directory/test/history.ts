import { Secret } from '@keytide/crypto-core';
import {
  createDeletionReceipt,
  createGrantRecord,
  createPolicyChange,
  createRecovery,
  createRemoveMember,
  createRevokeDevice,
  createRevokeInvite,
  createRoleChange,
  createWipe,
} from '@keytide/key-directory';
import { seededWorld, type SeededMember, type SeededWorld } from '@keytide/testkit';
import { addDevice, invite, join, stranger } from './forge.ts';

/** A small organisation whose log tells of people and devices coming and going. */
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

/** As `eventfulWorld`, and then what happens to keys and data: every kind of entry is there at least once. */
export function everyKindWorld(seed: string): SeededWorld {
  const world = eventfulWorld(seed);
  const { primitives, random } = world;
  const [founder, second] = world.members as readonly [SeededMember, SeededMember];
  const relay = stranger(world);
  const recoverySeed = random(32);
  const { publicKey: recoveryKey } = primitives.signer(recoverySeed);
  const { policy } = world.state;
  const named = { ...policy, leaseSeconds: 3600, recoveryKey, relayKey: relay.signer.publicKey };
  world.append(createPolicyChange({ ...world.as(founder.devices[0]), policy: named }));
  const grant = {
    request: random(32),
    device: second.devices[0].id,
    group: world.state.everyone,
    firstEpoch: 1,
    lastEpoch: 2,
  };
  world.append(createGrantRecord({ ...world.as(founder.devices[0]), grant }));
  const deleted = { group: world.state.everyone, firstSeq: 1, lastSeq: 9, root: random(32) };
  world.append(createDeletionReceipt({ ...world.as(relay), deleted }));
  const target = { of: 'member', member: second.id } as const;
  world.append(createWipe({ ...world.as(founder.devices[0]), target }));
  const rescuer = stranger(world);
  world.append(
    createRecovery({
      ...world.as(rescuer),
      random,
      seed: Secret.own(recoverySeed),
      device: rescuer.own,
      handle: 'rescuer',
      policy,
      removed: [founder.id],
    }),
  );
  return world;
}
