import type { Signer } from '@keytide/crypto-core';
import {
  assembleNote,
  checkpointText,
  cosignature,
  createDeviceInvite,
  createInvite,
  createPolicyChange,
  createRemoveMember,
  createRevokeDevice,
  createRevokeInvite,
  createRoleChange,
  createWipe,
  headsOf,
  mapRoot,
  originOf,
  parseNote,
  replay,
  type DirectoryState,
  type LogCheckpoint,
  type NoteSignature,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { cosignedBy, takesWitnesses, witnessesIn } from '../src/witness-demand.ts';

const policy = {
  blockSeconds: 3600,
  retentionSeconds: 3600,
  exportSeconds: 3600,
  witnesses: { needed: 2, maxAgeSeconds: 600 },
};
const world = seededWorld({ seed: 'witnesses', members: 5, admins: 3, devicesPerMember: 2, policy });
const { primitives, state } = world;
const nowSeconds = Math.floor(world.clock.now() / 1000);
const device = (member: number, which = 0): SeededDevice =>
  world.members[member]?.devices[which] as SeededDevice;
const [ada, bo, cy, dee] = [device(0), device(1), device(2), device(3)];

const checkpoint: LogCheckpoint = {
  origin: originOf(world.org),
  size: state.size,
  root: state.root,
  mapRoot: mapRoot(primitives, headsOf(primitives, state)),
};
const by = (signer: Signer, timeSeconds = nowSeconds): NoteSignature =>
  cosignature(primitives, signer, checkpoint, timeSeconds);
const noteOf = (...lines: readonly NoteSignature[]) =>
  parseNote(assembleNote(checkpointText(checkpoint), lines));

/** Who counts, of a note with these lines. */
function judged(lines: readonly NoteSignature[], of: DirectoryState = state, atSeconds = nowSeconds) {
  const { cosigned, ...rest } = witnessesIn(
    of,
    cosignedBy(primitives, of, noteOf(...lines), atSeconds + 3600),
    atSeconds,
  );
  return { ...rest, members: cosigned.map(({ member }) => member) };
}

const after = (...wires: readonly Uint8Array[]): DirectoryState => replay(primitives, wires, state);

test('as many admins as the policy says', () => {
  expect(judged([by(ada.signer)])).toEqual({
    needed: 2,
    isMet: false,
    members: [world.members[0]?.id],
  });
  expect(judged([by(ada.signer), by(bo.signer)]).isMet).toBe(true);
});

test('without a demand it is met, and nobody is needed', () => {
  const { witnesses: _, ...open } = policy;
  const free = after(createPolicyChange({ ...world.as(ada), policy: open }));
  expect(judged([by(ada.signer)], free)).toEqual({ needed: 0, isMet: true, members: [] });
});

test('never more than there are acting admins, and never none', () => {
  const removed = after(createRemoveMember({ ...world.as(ada), member: world.members[1]!.id }));
  const alone = replay(
    primitives,
    [createRemoveMember({ ...world.as(ada), state: removed, member: world.members[2]!.id })],
    removed,
  );
  expect(judged([by(dee.signer)], alone)).toMatchObject({ needed: 1, isMet: false });
  expect(judged([by(ada.signer)], alone)).toMatchObject({ needed: 1, isMet: true });
});

test('a member counts once: with two devices, and with two lines of one', () => {
  const two = judged([by(ada.signer), by(device(0, 1).signer)]);
  expect(two).toMatchObject({ isMet: false, members: [world.members[0]?.id] });
  expect(judged([by(ada.signer), by(ada.signer, nowSeconds - 5)]).members).toHaveLength(1);
});

test('of one member the newest counts, in whatever order', () => {
  const older = by(device(0, 1).signer, nowSeconds - 5);
  for (const lines of [
    [by(ada.signer), older],
    [older, by(ada.signer)],
  ]) {
    const { cosigned } = witnessesIn(
      state,
      cosignedBy(primitives, state, noteOf(...lines), nowSeconds),
      nowSeconds,
    );
    expect(cosigned).toEqual([{ member: world.members[0]?.id, device: ada.id, timeSeconds: nowSeconds }]);
  }
});

test('nobody counts who is no admin, or no longer, or whose device was revoked', () => {
  expect(judged([by(ada.signer), by(dee.signer)]).isMet).toBe(false);
  const lines = [by(ada.signer), by(bo.signer)];
  const { id } = world.members[1]!;
  for (const wire of [
    createRevokeDevice({ ...world.as(ada), device: bo.id }),
    createRoleChange({ ...world.as(ada), member: id, role: 'member' }),
    createRemoveMember({ ...world.as(ada), member: id }),
  ])
    expect(judged(lines, after(wire)).isMet).toBe(false);
});

test('a device that counted before it was revoked does not count from memory either', () => {
  const vouched = cosignedBy(primitives, state, noteOf(by(ada.signer), by(bo.signer)), nowSeconds);
  expect(witnessesIn(state, vouched, nowSeconds).isMet).toBe(true);
  const revoked = after(createRevokeDevice({ ...world.as(ada), device: bo.id }));
  expect(witnessesIn(revoked, vouched, nowSeconds).isMet).toBe(false);
});

test('from the age that the policy allows up to an hour ahead', () => {
  const at = (timeSeconds: number): boolean => judged([by(ada.signer), by(bo.signer, timeSeconds)]).isMet;
  expect(at(nowSeconds - 600)).toBe(true);
  expect(at(nowSeconds - 601)).toBe(false);
  expect(at(nowSeconds + 3600)).toBe(true);
  expect(at(nowSeconds + 3601)).toBe(false);
});

test('lines of strangers and of members are not looked at, those of admins spoil the note', () => {
  const broken = (line: NoteSignature): NoteSignature => ({
    ...line,
    signature: line.signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte)),
  });
  const stranger = primitives.signer(new Uint8Array(32).fill(9));
  const fine = [by(ada.signer), by(bo.signer)];
  expect(judged([...fine, broken(by(stranger)), broken(by(dee.signer))]).isMet).toBe(true);
  expect(judged([...fine, { ...by(cy.signer), name: 'keytide-device/v1/ada' }]).members).toHaveLength(2);
  expect(() => judged([...fine, broken(by(cy.signer))])).toThrow(
    expect.objectContaining({ code: 'bad-signature' }),
  );
});

test('what only takes rights away needs no witness; all else does', () => {
  const context = { ...world.as(ada), random: world.random };
  const expiresMs = world.clock.now() + 60_000;
  const takes = (wire: Uint8Array, of = state): boolean => takesWitnesses(primitives, of, wire);
  const { wire: invite } = createInvite({ ...context, role: 'member', expiresMs });
  const { wire: deviceInvite } = createDeviceInvite({ ...context, member: world.members[0]!.id, expiresMs });
  const role = (member: number, to: 'admin' | 'member' | 'exporter'): Uint8Array =>
    createRoleChange({ ...context, member: world.members[member]!.id, role: to });
  const relayKey = primitives.signer(new Uint8Array(32).fill(7)).publicKey;
  const named = createPolicyChange({ ...context, policy: { ...policy, relayKey } });
  const withKey = after(named);
  for (const wire of [invite, deviceInvite, role(3, 'admin'), role(3, 'exporter')])
    expect(takes(wire)).toBe(true);
  const invited = after(invite);
  const open = [...invited.invites.values()].find(({ usedAt }) => usedAt === null);
  for (const wire of [
    createRevokeDevice({ ...context, device: bo.id }),
    createRevokeInvite({ ...context, state: invited, invite: open!.id }),
    createRemoveMember({ ...context, member: world.members[3]!.id }),
    createWipe({ ...context, target: { of: 'device', device: dee.id } }),
    role(1, 'member'),
    // Without the relay's key nobody can vouch, and the way out must not be barred.
    named,
  ])
    expect(takes(wire)).toBe(false);
  expect(
    takes(
      createPolicyChange({ ...context, state: withKey, policy: { ...policy, blockSeconds: 60 } }),
      withKey,
    ),
  ).toBe(true);
});
