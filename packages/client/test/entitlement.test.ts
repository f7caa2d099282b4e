import { memberId } from '@keytide/crypto-core';
import {
  createDeviceInvite,
  createWipe,
  acceptDeviceInvite,
  type Device,
  type Member,
  type Role,
} from '@keytide/key-directory';
import { seededDevice, type SeededDevice } from '@keytide/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  entitlementOf,
  grantsTo,
  isEntitled,
  weigh,
  wipesIn,
  type EpochOutline,
  type WipeOrder,
} from '../src/entitlement.ts';
import { accessWorld } from './access-world.ts';

const [ADA, BO] = [memberId('01'.repeat(16)), memberId('02'.repeat(16))];
const policy = { blockSeconds: 10, retentionSeconds: 100, exportSeconds: 1000 };

const roles = fc.constantFrom<Role>('admin', 'member', 'exporter');
const places = fc.integer({ min: 0, max: 50 });
const members = fc.record({ id: fc.constant(ADA), role: roles, roleSince: places, addedAt: places });
const orders = fc.array(
  fc.record<WipeOrder>({
    index: places,
    target: fc.constantFrom(
      { of: 'device', device: '03'.repeat(32) as never },
      { of: 'member', member: ADA },
      { of: 'member', member: BO },
      { of: 'everyone-but-admins' },
    ),
  }),
  { maxLength: 6 },
);
const epochs = fc.record<EpochOutline>({
  epoch: fc.integer({ min: 1, max: 100 }),
  checkpoint: fc.record({ size: fc.integer({ min: 1, max: 51 }), root: fc.constant(new Uint8Array(32)) }),
  blockEndMs: fc.integer({ min: 0, max: 3_000_000 }),
});
const times = fc.integer({ min: 0, max: 3_000_000 });

describe('what a member may be given', () => {
  test('is no epoch from before they came, from before their keys were wiped, or whose time is over', () => {
    fc.assert(
      fc.property(members, orders, epochs, times, (member, wipes, epoch, nowMs) => {
        const entitled = isEntitled(entitlementOf({ policy }, member, wipes, nowMs), epoch);
        const windowMs = member.role === 'admin' ? 1_000_000 : 100_000;
        const reached = wipes.some(({ index, target }) => {
          const wasAdmin = member.role === 'admin' && member.roleSince <= index;
          const isTheirs =
            (target.of === 'member' && target.member === ADA) ||
            (target.of === 'everyone-but-admins' && !wasAdmin);
          return isTheirs && index >= epoch.checkpoint.size;
        });
        const isTooEarly = epoch.checkpoint.size <= member.addedAt || reached;
        expect(entitled).toBe(!isTooEarly && epoch.blockEndMs > nowMs - windowMs);
      }),
      { numRuns: 2000 },
    );
  });

  test('only shrinks with time, with orders to wipe, and with the loss of the role', () => {
    fc.assert(
      fc.property(members, orders, orders, epochs, times, times, (member, wipes, more, epoch, a, b) => {
        const [earlier, later] = [Math.min(a, b), Math.max(a, b)];
        const before = isEntitled(entitlementOf({ policy }, member, wipes, earlier), epoch);
        const after = isEntitled(entitlementOf({ policy }, member, [...wipes, ...more], later), epoch);
        expect(before || !after).toBe(true);
        const demoted = { ...member, role: 'member' as const, roleSince: 50 };
        const less = isEntitled(entitlementOf({ policy }, demoted, wipes, earlier), epoch);
        expect(before || !less).toBe(true);
      }),
    );
  });

  test('is not narrowed by the wipe of one device: a lost phone does not lose its member the window', () => {
    fc.assert(
      fc.property(members, orders, times, (member, wipes, nowMs) => {
        const others = wipes.filter(({ target }) => target.of !== 'device');
        expect(entitlementOf({ policy }, member, wipes, nowMs)).toEqual(
          entitlementOf({ policy }, member, others, nowMs),
        );
      }),
    );
  });
});

/** A member whose second phone joined after epoch 3: each epoch was made on a longer log. */
function secondPhone(seed: string) {
  const access = accessWorld(seed);
  const { world, primitives, random, clock, carol, append, wireAt } = access;
  const { member } = world.state.devices.get(carol.id) as Device;
  const admitted = (world.state.members.get(member) as Member).addedAt;
  const sizes = [admitted, admitted + 1, admitted + 1];
  const invited = createDeviceInvite({
    ...world.as(carol),
    random,
    member,
    expiresMs: clock.now() + 1000,
  });
  append(invited.wire);
  const phone: SeededDevice = seededDevice(primitives, random, clock.now());
  const { seed: invite } = invited;
  const own = { ...phone.own, notAfterMs: clock.now() + 1000 };
  append(
    acceptDeviceInvite({ primitives, state: world.state, seed: invite, device: own, nowMs: clock.now() }),
  );
  sizes.push(world.state.size, world.state.size);
  const statementOf = (epoch: number): EpochOutline | null => {
    const size = sizes[epoch - 1];
    if (size === undefined) return null;
    return { epoch, checkpoint: { size, root: new Uint8Array(32) }, blockEndMs: clock.now() };
  };
  const weighed = (
    firstEpoch: number,
    lastEpoch: number,
    changes: { isChanged?: boolean; laterMs?: number } = {},
  ) => {
    const { state } = world;
    const wipes = wipesIn(primitives, state, wireAt);
    const owner = state.members.get(member) as Member;
    const asOfAsking = entitlementOf(state, owner, wipes, clock.now());
    return weigh({
      state,
      device: phone.id,
      asked: { firstEpoch, lastEpoch },
      asOfAsking,
      now: entitlementOf(state, owner, wipes, clock.now() + (changes.laterMs ?? 0)),
      isChanged: changes.isChanged ?? false,
      nowMs: clock.now() + (changes.laterMs ?? 0),
      grants: grantsTo(primitives, state, wireAt, phone.id),
      statementOf,
    });
  };
  return { ...access, member, phone, weighed };
}

describe('who has to decide', () => {
  test('nobody, for what was sealed to the device before', () => {
    const { weighed } = secondPhone('sealed before');
    expect(weighed(4, 5)).toEqual({ give: [4, 5], needs: [] });
  });

  test('a person, for the first epochs that were never sealed to it; from then on nobody', () => {
    const { alice, phone, ask, record, weighed } = secondPhone('never sealed');
    expect(weighed(2, 5)).toEqual({ give: [2, 3, 4, 5], needs: ['first-request'] });
    record(alice, ask(phone, { firstEpoch: 2, lastEpoch: 3 }));
    expect(weighed(2, 5)).toEqual({ give: [2, 3, 4, 5], needs: [] });
  });

  test('a person still, after a grant of what was sealed to it: that took nobody', () => {
    const { alice, carol, phone, ask, record, weighed } = secondPhone('background grant');
    record(alice, ask(phone, { firstEpoch: 4, lastEpoch: 5 }));
    record(alice, ask(carol, { firstEpoch: 2, lastEpoch: 3 }));
    expect(weighed(2, 5).needs).toEqual(['first-request']);
  });

  test('a person, for a device that asks again and again: the log grows with each grant', () => {
    const { alice, carol, phone, ask, record, weighed } = secondPhone('often');
    for (let count = 0; count < 8; count += 1) {
      expect(weighed(4, 5).needs).toEqual([]);
      record(alice, ask(phone, { firstEpoch: 4, lastEpoch: 5 }));
      record(alice, ask(carol, { firstEpoch: 2, lastEpoch: 3 }));
    }
    expect(weighed(4, 5)).toEqual({ give: [4, 5], needs: ['often'] });
    expect(weighed(4, 5, { laterMs: 86_400_000 + 60_000 }).needs).not.toContain('often');
  });

  test('a person, when the member’s devices have changed since the admin took note of them', () => {
    const { weighed } = secondPhone('changed');
    expect(weighed(4, 5, { isChanged: true })).toEqual({ give: [4, 5], needs: ['identity-changed'] });
  });

  test('a person, when more is asked for than may be given: and no more is', () => {
    const { weighed } = secondPhone('window');
    expect(weighed(1, 5).give).toEqual([2, 3, 4, 5]);
    expect(weighed(1, 5).needs).toContain('window');
    expect(weighed(4, 9)).toEqual({ give: [4, 5], needs: ['window'] });
  });

  test('nobody, for what has ended since it was asked for: it is not given', () => {
    const { weighed } = secondPhone('ended since');
    expect(weighed(4, 5, { laterMs: 7 * 86_400_000 })).toEqual({ give: [], needs: [] });
  });

  test('nobody gives what was written before the member’s keys were wiped', () => {
    const { world, alice, bob, phone, member, append, weighed } = secondPhone('wiped');
    append(createWipe({ ...world.as(alice), target: { of: 'device', device: phone.id } }));
    expect(weighed(4, 5).give).toEqual([4, 5]);
    append(createWipe({ ...world.as(bob), target: { of: 'member', member } }));
    expect(weighed(4, 5).give).toEqual([]);
  });
});
