import { memoryKeyStore, type DeviceId, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  acceptDeviceInvite,
  createDeviceInvite,
  createRevokeDevice,
  createRemoveMember,
} from '@keytide/key-directory';
import { seededDevice, seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { IdentityWatch, type IdentityChange, type OwnDevice } from '../src/identity-watch.ts';
import { memoryJournal } from '../src/journal.ts';

/** Ada, an admin, bo and cy; and the watch of ada's device, which can be started again. */
async function stage() {
  const world = seededWorld({ seed: 'identity watch', members: 3, admins: 2 });
  const [ada, bo, cy] = world.members as unknown as [SeededMember, SeededMember, SeededMember];
  const keyStore = memoryKeyStore();
  const journal = memoryJournal();
  const self = ada.devices[0];
  /** As after a start of the process. */
  async function started(store: KeyStore = keyStore, device: DeviceId = self.id) {
    const directory = await DirectoryReplica.open({
      primitives,
      journal,
      keyStore: memoryKeyStore(),
      org: world.org,
    });
    const watch = await IdentityWatch.open({ directory, keyStore: store, device });
    const told: (IdentityChange | OwnDevice)[] = [];
    const look = (): readonly (IdentityChange | OwnDevice)[] => {
      const before = told.length;
      watch.look({ onIdentity: (change) => told.push(change), onOwnDevice: (own) => told.push(own) });
      return told.slice(before);
    };
    const grow = async () => {
      await directory.append(world.wires.slice(directory.size));
      return look();
    };
    return { watch, directory, look, grow };
  }
  /** Another device of a member comes, invited by somebody. */
  function comes(member: SeededMember, invitedBy: SeededDevice): DeviceId {
    const context = { ...world.as(invitedBy), random: world.random };
    const { wire, seed } = createDeviceInvite({
      ...context,
      member: member.id,
      expiresMs: context.nowMs + 1000,
    });
    world.append(wire);
    const device = seededDevice(primitives, world.random, world.clock.now());
    const { state } = world;
    world.append(acceptDeviceInvite({ primitives, state, seed, device: device.own, nowMs: context.nowMs }));
    return device.id;
  }
  const ends = (device: DeviceId): void =>
    void world.append(createRevokeDevice({ ...world.as(self), device }));
  const leaves = (member: SeededMember): void =>
    void world.append(createRemoveMember({ ...world.as(self), member: member.id }));
  return { world, ada, bo, cy, self, started, comes, ends, leaves };
}

test('what comes while the app runs is told once, and what everybody came with never', async () => {
  const { started, comes, ends, bo, self, cy } = await stage();
  const { grow, look, watch } = await started();
  expect(await grow()).toEqual([]);
  const phone = comes(bo, bo.devices[0]);
  ends(bo.devices[0].id);
  expect(await grow()).toEqual([
    { member: bo.id, handle: bo.handle, added: [phone], revoked: [bo.devices[0].id] },
  ]);
  expect(look()).toEqual([]);
  expect([watch.isChanged(bo.id), watch.isChanged(cy.id)]).toEqual([true, false]);
  ends(phone);
  expect(await grow()).toEqual([{ member: bo.id, handle: bo.handle, added: [], revoked: [phone] }]);
  expect(self.id).not.toBe(phone);
});

test('what was stored and not shown when the app ended is told at the next start, until it is acknowledged', async () => {
  const { world, started, comes, bo } = await stage();
  const first = await started();
  await first.grow();
  const phone = comes(bo, bo.devices[0]);
  // Ends between the two: the log is stored, and nobody was told.
  await first.directory.append(world.wires.slice(first.directory.size));
  const change = { member: bo.id, handle: bo.handle, added: [phone], revoked: [] };
  const second = await started();
  expect(second.look()).toEqual([change]);
  expect(second.look()).toEqual([]);
  // Told is not noted: it ends again, before the person has seen it.
  const third = await started();
  expect(third.look()).toEqual([change]);
  await third.watch.acknowledge(bo.id, third.directory.size);
  expect(third.watch.isChanged(bo.id)).toBe(false);
  const fourth = await started();
  expect(fourth.look()).toEqual([]);
  expect(fourth.watch.isChanged(bo.id)).toBe(false);
});

test('an alarm is a device of one’s own that this one did not invite, also after a restart', async () => {
  const { started, comes, ada, bo, self } = await stage();
  const first = await started();
  await first.grow();
  const invited = comes(ada, self);
  expect(await first.grow()).toEqual([]);
  expect(first.watch.isChanged(ada.id)).toBe(false);
  const stranger = comes(ada, bo.devices[0]);
  const alarm = { device: stranger, invitedBy: bo.devices[0].id };
  expect(await first.grow()).toEqual([alarm]);
  const second = await started();
  expect(second.look()).toEqual([alarm]);
  expect(second.watch.isChanged(ada.id)).toBe(true);
  await second.watch.acknowledge(ada.id, second.directory.size);
  expect((await started()).look()).toEqual([]);
  expect(invited).not.toBe(stranger);
});

test('an acknowledgement is of what was seen: not of what came after, never taken back, durable before it counts', async () => {
  const { started, comes, bo, cy } = await stage();
  const { grow, watch, directory } = await started();
  await grow();
  comes(bo, bo.devices[0]);
  await grow();
  const seen = directory.size;
  const second = comes(bo, bo.devices[0]);
  comes(cy, cy.devices[0]);
  await grow();
  await watch.acknowledge(bo.id, seen);
  expect(watch.isChanged(bo.id)).toBe(true);
  const later = (await started()).look();
  expect(later).toMatchObject([{ member: bo.id, added: [second] }, { member: cy.id }]);
  await watch.acknowledge(bo.id, directory.size);
  await watch.acknowledge(bo.id, seen);
  expect(watch.isChanged(bo.id)).toBe(false);
  expect((await started()).watch.isChanged(bo.id)).toBe(false);
  const failing = await started({
    ...memoryKeyStore(),
    write: () => Promise.reject(new Error('no space left')),
  });
  await expect(failing.watch.acknowledge(cy.id, directory.size)).rejects.toThrow('no space left');
  expect(failing.watch.isChanged(cy.id)).toBe(true);
});

test('nothing is told of who has left', async () => {
  const { started, comes, leaves, bo } = await stage();
  const { grow } = await started();
  await grow();
  comes(bo, bo.devices[0]);
  leaves(bo);
  expect(await grow()).toEqual([]);
  expect((await started()).look()).toEqual([]);
});

test('what was acknowledged as ended is no change any more, and ending one’s own is none', async () => {
  const { started, comes, ends, ada, bo, self } = await stage();
  const { grow, watch, directory } = await started();
  const phone = comes(ada, self);
  ends(bo.devices[0].id);
  await grow();
  expect(watch.isChanged(bo.id)).toBe(true);
  await watch.acknowledge(bo.id, directory.size);
  expect(watch.isChanged(bo.id)).toBe(false);
  ends(phone);
  expect(await grow()).toEqual([]);
  expect(watch.isChanged(ada.id)).toBe(false);
});

test('what was there before this device came is not told: its person joined that', async () => {
  const { world, started, comes, ada, bo, self } = await stage();
  comes(bo, bo.devices[0]);
  const phone = comes(ada, self);
  const { grow, watch, directory } = await started(memoryKeyStore(), phone);
  expect(await grow()).toEqual([]);
  const later = comes(bo, bo.devices[0]);
  expect(await grow()).toMatchObject([{ member: bo.id, added: [later] }]);
  expect(watch.isChanged(bo.id)).toBe(true);
  expect(directory.size).toBe(world.wires.length);
});
