import { createRemoveMember, createRevokeDevice, createWipe, type WipeTarget } from '@keytide/key-directory';
import type { DeviceId, MemberId } from '@keytide/crypto-core';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { addDevice, forge, refusal, stranger } from '../forge.ts';

let world = seededWorld({ seed: 'wipe', members: 4, devicesPerMember: 2, admins: 2 });
let ada: SeededMember;
let bo: SeededMember;
let cy: SeededMember;
let dee: SeededMember;

beforeEach(() => {
  world = seededWorld({ seed: 'wipe', members: 4, devicesPerMember: 2, admins: 2 });
  [ada, bo, cy, dee] = world.members as unknown as [SeededMember, SeededMember, SeededMember, SeededMember];
});

const wipe = (author: SeededDevice, target: WipeTarget): string | null =>
  refusal(world, forge(world, author, { kind: 'wipe', target }));
const wiped = (): string[] => {
  const handles = new Map(
    world.members.flatMap(({ handle, devices }) => devices.map(({ id }) => [id, handle])),
  );
  return [...world.state.devices.values()]
    .filter(({ wipedAt }) => wipedAt !== null)
    .map(({ id }) => handles.get(id) ?? 'stranger')
    .toSorted();
};

describe('a wipe', () => {
  test('of a device ends it; the member stays, and can have a new one', () => {
    const [first] = cy.devices;
    const { size } = world.append(
      createWipe({ ...world.as(ada.devices[0]), target: { of: 'device', device: first.id } }),
    );
    expect(world.state.devices.get(first.id)).toMatchObject({ wipedAt: size - 1, revokedAt: size - 1 });
    expect(world.state.members.get(cy.id)).toMatchObject({
      removedAt: null,
      activeDevices: [cy.devices[1]?.id],
    });
    expect(wipe(first, { of: 'device', device: first.id })).toBe('author-not-active');
    world.append(addDevice(world, ada.devices[0], cy.id, stranger(world)));
    expect(world.state.members.get(cy.id)?.activeDevices).toHaveLength(2);
  });

  test('of a member takes all their devices, also those that were revoked', () => {
    const [first] = cy.devices;
    const { size } = world.append(createRevokeDevice({ ...world.as(ada.devices[0]), device: first.id }));
    world.append(createWipe({ ...world.as(ada.devices[0]), target: { of: 'member', member: cy.id } }));
    expect(world.state.devices.get(first.id)).toMatchObject({ revokedAt: size - 1, wipedAt: size });
    expect(world.state.members.get(cy.id)).toMatchObject({ removedAt: null, activeDevices: [] });
    expect(wiped()).toEqual(['member-2', 'member-2']);
  });

  test('of everyone but admins takes former members too', () => {
    world.append(createRemoveMember({ ...world.as(ada.devices[0]), member: bo.id }));
    world.append(createWipe({ ...world.as(ada.devices[0]), target: { of: 'everyone-but-admins' } }));
    expect(wiped()).toEqual(['member-1', 'member-1', 'member-2', 'member-2', 'member-3', 'member-3']);
    expect(world.state.members.get(bo.id)?.removedAt).not.toBe(null);
    expect(wipe(ada.devices[0], { of: 'everyone-but-admins' })).toBe('unchanged');
  });

  test('takes an admin, or somebody whose device it is', () => {
    expect(wipe(dee.devices[0], { of: 'device', device: cy.devices[0].id })).toBe('not-permitted');
    expect(wipe(dee.devices[0], { of: 'member', member: cy.id })).toBe('not-permitted');
    expect(wipe(dee.devices[0], { of: 'everyone-but-admins' })).toBe('not-permitted');
    expect(wipe(dee.devices[0], { of: 'device', device: (dee.devices[1] as SeededDevice).id })).toBe(null);
    expect(wipe(dee.devices[0], { of: 'member', member: dee.id })).toBe(null);
  });

  test('names somebody, and changes something', () => {
    expect(wipe(ada.devices[0], { of: 'device', device: 'ab'.repeat(32) as DeviceId })).toBe(
      'unknown-device',
    );
    expect(wipe(ada.devices[0], { of: 'member', member: 'ab'.repeat(16) as MemberId })).toBe(
      'unknown-member',
    );
    const target: WipeTarget = { of: 'device', device: cy.devices[0].id };
    world.append(createWipe({ ...world.as(ada.devices[0]), target }));
    expect(wipe(ada.devices[0], target)).toBe('unchanged');
  });

  test('leaves an admin', () => {
    world.append(createWipe({ ...world.as(ada.devices[0]), target: { of: 'member', member: bo.id } }));
    expect(wipe(ada.devices[0], { of: 'member', member: ada.id })).toBe('last-admin');
  });
});
