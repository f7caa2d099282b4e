import { archiveRecipient, groupId } from '@keytide/crypto-core';
import { archiveOf, epochRecipientsOf, everyoneGroup, recipientsOf } from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { codeFrom } from './forge.ts';
import { eventfulWorld } from './history.ts';

test('recipients are the active devices of active members, sorted by id, with the keys they published', () => {
  const world = eventfulWorld('recipients');
  const recipients = recipientsOf(world.state, world.state.everyone);
  const active = [...world.state.devices.values()].filter(({ revokedAt }) => revokedAt === null);
  const ids = recipients.map(({ device }) => device);
  expect(ids).toEqual(active.map(({ id }) => id).toSorted());
  const founder = world.members[0].devices[0];
  expect(recipients.find(({ device }) => device === founder.id)).toEqual({
    device: founder.id,
    member: world.members[0].id,
    signingPublicKey: founder.signer.publicKey,
    sealingPublicKey: founder.decapsulator.publicKey,
  });
});

test('there is one group, and others are refused', () => {
  const world = seededWorld({ seed: 'groups', members: 1 });
  expect(world.state.everyone).toBe(everyoneGroup(world.primitives, world.org));
  expect(codeFrom(() => recipientsOf(world.state, groupId('ab'.repeat(32))))).toBe('unknown-group');
});

test('an epoch is for the archive of the policy as well, and for none that is not in it', () => {
  const { primitives, state } = seededWorld({ seed: 'archive', members: 2 });
  const devices = recipientsOf(state, state.everyone).map(({ device }) => ({ device }));
  const idsOf = (policy: typeof state.policy) =>
    epochRecipientsOf(primitives, { ...state, policy }, state.everyone).map(({ device }) => ({ device }));
  expect([idsOf(state.policy), archiveOf(primitives, state)]).toEqual([devices, null]);
  const archiveKey = primitives.decapsulator(new Uint8Array(32)).publicKey;
  const device = archiveRecipient(primitives, archiveKey);
  expect(idsOf({ ...state.policy, archiveKey })).toEqual([...devices, { device }]);
  expect(archiveOf(primitives, { policy: { ...state.policy, archiveKey } })).toEqual({
    device,
    sealingPublicKey: archiveKey,
  });
});
