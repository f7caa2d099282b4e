import { Secret, signBytes } from '@keytide/crypto-core';
import {
  createPolicyChange,
  createRecovery,
  createRevokeDevice,
  newMemberId,
  publishKeys,
  recoveryClaim,
  type BodyOf,
  type Policy,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, expect, test } from 'vitest';
import { forge, invite, refusal, stranger } from '../forge.ts';

let world = seededWorld({ seed: 'recovery', members: 3, admins: 2 });
let ada: SeededMember;
let bo: SeededMember;
let cy: SeededMember;
let seed: Uint8Array;
let rescuer: SeededDevice;

/** Two admins who must agree, and a recovery key. */
beforeEach(() => {
  world = seededWorld({ seed: 'recovery', members: 3, admins: 2 });
  [ada, bo, cy] = world.members as unknown as [SeededMember, SeededMember, SeededMember];
  seed = world.random(32);
  rescuer = stranger(world);
  const recoveryKey = world.primitives.signer(seed).publicKey;
  const policy: Policy = { ...world.state.policy, recoveryKey, approvals: { administration: 2 } };
  world.append(createPolicyChange({ ...world.as(ada.devices[0]), policy }));
});

function plainPolicy(): Policy {
  const { recoveryKey: _, approvals: __, ...policy } = world.state.policy;
  return policy;
}

/** A recovery signed as it should be, apart from what `other` says before or after signing. */
function recovery(
  other: {
    signed?: Partial<BodyOf<'recovery'>>;
    swapped?: Partial<BodyOf<'recovery'>>;
    by?: Uint8Array;
  } = {},
): Uint8Array {
  const { primitives, random, state } = world;
  const body = {
    kind: 'recovery' as const,
    member: newMemberId(random),
    handle: 'rescuer',
    ...publishKeys(primitives, rescuer.own),
    policy: plainPolicy(),
    removed: [],
    ...other.signed,
  };
  const claim = recoveryClaim({ ...body, org: state.org, previousHash: state.headHash });
  const recoverySignature = signBytes(
    primitives,
    primitives.signer(other.by ?? seed),
    'recoverySignature',
    claim,
  );
  return forge(world, rescuer, { ...body, recoverySignature, ...other.swapped });
}

test('puts in an admin and a policy, and removes whom it names', () => {
  world.append(createRevokeDevice({ ...world.as(bo.devices[0]), device: ada.devices[0].id }));
  const wire = createRecovery({
    ...world.as(rescuer),
    random: world.random,
    seed: Secret.own(seed.slice()),
    device: rescuer.own,
    handle: 'rescuer',
    policy: plainPolicy(),
    removed: [bo.id, ada.id],
  });
  world.append(wire);
  const rescued = world.state.members.get(world.state.devices.get(rescuer.id)?.member as never);
  expect(rescued).toMatchObject({ role: 'admin', handle: 'rescuer', activeDevices: [rescuer.id] });
  expect(world.state.policy).toEqual(plainPolicy());
  for (const { id } of [ada, bo]) {
    expect(world.state.members.get(id)).toMatchObject({ activeDevices: [] });
    expect(world.state.members.get(id)?.removedAt).toBe(world.state.size - 1);
  }
  expect(world.state.devices.get(bo.devices[0].id)?.revokedAt).toBe(world.state.size - 1);
  expect(world.state.members.get(cy.id)?.removedAt).toBe(null);
});

test('takes the recovery key of the policy', () => {
  expect(refusal(world, recovery())).toBe(null);
  expect(refusal(world, recovery({ by: world.random(32) }))).toBe('bad-signature');
  const other = seededWorld({ seed: 'recovery', members: 1 });
  world = other;
  expect(refusal(world, recovery())).toBe('not-permitted');
});

test.each<[string, () => Partial<BodyOf<'recovery'>>]>([
  ['the member', () => ({ member: newMemberId(world.random) })],
  ['the name', () => ({ handle: 'mallory' })],
  ['the policy', () => ({ policy: { ...plainPolicy(), blockSeconds: 60 } })],
  ['who goes', () => ({ removed: [cy.id] })],
])('nobody swaps %s', (_, swapped) => {
  expect(refusal(world, recovery({ swapped: swapped() }))).toBe('bad-signature');
});

test('nobody swaps the device, and it is good at one head only', () => {
  const wire = recovery();
  const mallory = stranger(world);
  rescuer = mallory;
  const swapped = publishKeys(world.primitives, mallory.own);
  const honest = publishKeys(world.primitives, stranger(world).own);
  expect(refusal(world, recovery({ signed: honest, swapped }))).toBe('bad-signature');
  invite(world);
  expect(refusal(world, wire)).toBe('wrong-predecessor');
});

test('the key is spent by it', () => {
  const policy = { ...plainPolicy(), recoveryKey: world.primitives.signer(seed).publicKey };
  expect(refusal(world, recovery({ signed: { policy } }))).toBe('id-reused');
  const next = { ...plainPolicy(), recoveryKey: world.primitives.signer(world.random(32)).publicKey };
  expect(refusal(world, recovery({ signed: { policy: next } }))).toBe(null);
});

test('asks for no more admins than it leaves', () => {
  const policy = { ...plainPolicy(), approvals: { administration: 3 } };
  expect(refusal(world, recovery({ signed: { policy } }))).toBe(null);
  expect(refusal(world, recovery({ signed: { policy, removed: [bo.id] } }))).toBe('too-few-admins');
});

test('the newcomer is new, in every way', () => {
  expect(refusal(world, recovery({ signed: { member: cy.id } }))).toBe('already-member');
  expect(refusal(world, recovery({ signed: { handle: '' } }))).toBe('bad-handle');
  rescuer = cy.devices[0];
  expect(refusal(world, recovery())).toBe('id-reused');
});

test('removes present members, each once', () => {
  expect(refusal(world, recovery({ signed: { removed: [newMemberId(world.random)] } }))).toBe(
    'unknown-member',
  );
  expect(refusal(world, recovery({ signed: { removed: [cy.id, cy.id] } }))).toBe('malformed');
});
