import type { EntryBody, EntrySignature, Policy, Role } from '@keytide/key-directory';
import {
  approvalsFor,
  approveEntry,
  createPolicyChange,
  createRoleChange,
  createWipe,
  DirectoryError,
  encodeEntryWire,
  parseEntry,
  withApprovals,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember, type SeededWorld } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { codeFrom, forge, refusal, stranger } from '../forge.ts';

let world: SeededWorld;
let ada: SeededMember;
let bo: SeededMember;
let cy: SeededMember;
let dee: SeededMember;

/** Three admins and a member; a change of policy or of admins takes two, a wipe three. */
beforeEach(() => {
  world = seededWorld({ seed: 'approvals', members: 4, devicesPerMember: 2, admins: 3 });
  [ada, bo, cy, dee] = world.members as unknown as [SeededMember, SeededMember, SeededMember, SeededMember];
});

function require(approvals: Policy['approvals']): void {
  const policy = { ...world.state.policy, ...(approvals === undefined ? {} : { approvals }) };
  world.append(createPolicyChange({ ...world.as(ada.devices[0]), policy }));
}

const approval = (wire: Uint8Array, device: SeededDevice): EntrySignature =>
  approveEntry({ ...world, state: world.state, wire, signer: device.signer });
const approved = (wire: Uint8Array, ...approvals: EntrySignature[]): Uint8Array =>
  withApprovals({ ...world, state: world.state, wire }, approvals);
const role = (member: SeededMember, given: Role): EntryBody => ({
  kind: 'role',
  member: member.id,
  role: given,
});

/** The wire with these approvals, whatever the rules think of them. */
function forced(wire: Uint8Array, ...approvals: EntrySignature[]): Uint8Array {
  const { author, signature, bytes } = parseEntry(world.primitives, wire);
  const sorted = approvals.toSorted((a, b) => (a.device < b.device ? -1 : 1));
  return encodeEntryWire(bytes, [{ device: author, signature }, ...sorted]);
}

describe('an act that the policy names', () => {
  beforeEach(() => require({ administration: 2 }));

  test('takes as many admins as it says', () => {
    const context = { ...world.as(ada.devices[0]), member: dee.id, role: 'admin' as const };
    expect(codeFrom(() => createRoleChange(context))).toBe('approval-needed');
    const wire = createRoleChange({ ...context, asProposal: true });
    expect(approvalsFor({ ...world, state: world.state, wire })).toBe(1);
    expect(refusal(world, wire)).toBe('approval-needed');
    world.append(approved(wire, approval(wire, bo.devices[1] as SeededDevice)));
    expect(world.state.members.get(dee.id)?.role).toBe('admin');
  });

  test.each<[string, () => EntryBody, (() => SeededMember)?]>([
    ['promoting', () => role(dee, 'admin')],
    ['demoting', () => role(bo, 'member')],
    ['inviting an admin', () => inviteOf('admin')],
    ['removing an admin', () => ({ kind: 'remove-member', member: bo.id })],
    ['removing oneself', () => ({ kind: 'remove-member', member: ada.id })],
    ['a device for another admin', () => deviceInvite(bo)],
    ['the policy', () => ({ kind: 'policy', policy: { ...world.state.policy, blockSeconds: 60 } })],
  ])('%s is one', (_, body) => {
    const wire = forge(world, ada.devices[0], body());
    expect(refusal(world, wire)).toBe('approval-needed');
    expect(refusal(world, forced(wire, approval(wire, bo.devices[0])))).toBe(null);
  });

  test.each<[string, () => EntryBody]>([
    ['making an exporter', () => role(dee, 'exporter')],
    ['inviting a member', () => inviteOf('member')],
    ['removing a member', () => ({ kind: 'remove-member', member: dee.id })],
    ["revoking an admin's device", () => ({ kind: 'revoke-device', device: bo.devices[0].id })],
    ['a device of one’s own', () => deviceInvite(ada)],
    ['a device for a member', () => deviceInvite(dee)],
  ])('%s is not', (_, body) => {
    expect(refusal(world, forge(world, ada.devices[0], body()))).toBe(null);
  });

  function deviceInvite(member: SeededMember): EntryBody {
    const { publicKey } = world.primitives.signer(world.random(32));
    return { kind: 'invite-device', publicKey, member: member.id, expiresMs: world.clock.now() + 1000 };
  }

  function inviteOf(given: Role): EntryBody {
    const { publicKey } = world.primitives.signer(world.random(32));
    return { kind: 'invite', publicKey, role: given, expiresMs: world.clock.now() + 1000 };
  }
});

describe('an approval', () => {
  let wire: Uint8Array;
  beforeEach(() => {
    require({ administration: 3 });
    wire = createRoleChange({ ...world.as(ada.devices[0]), member: dee.id, role: 'admin', asProposal: true });
  });

  /** A signature that `approveEntry` would not make. */
  function signature(device: SeededDevice): EntrySignature {
    const other = forge(world, device, role(dee, 'admin'), { claimedAuthor: ada.devices[0].id });
    return { device: device.id, signature: parseEntry(world.primitives, other).signature };
  }

  test('counts once for each admin, and never for the author', () => {
    const [first, second] = bo.devices as [SeededDevice, SeededDevice];
    const own = ada.devices[1] as SeededDevice;
    expect(refusal(world, forced(wire, approval(wire, first), approval(wire, second)))).toBe('bad-approval');
    expect(refusal(world, forced(wire, signature(own), approval(wire, first)))).toBe('bad-approval');
    expect(codeFrom(() => approval(wire, own))).toBe('bad-approval');
    expect(refusal(world, forced(wire, approval(wire, first)))).toBe('approval-needed');
    expect(refusal(world, forced(wire, approval(wire, first), approval(wire, cy.devices[0])))).toBe(null);
  });

  test('comes from an active device of an admin', () => {
    const good = approval(wire, bo.devices[0]);
    expect(refusal(world, forced(wire, good, signature(dee.devices[0])))).toBe('bad-approval');
    expect(refusal(world, forced(wire, good, signature(stranger(world))))).toBe('bad-approval');
    expect(codeFrom(() => approval(wire, dee.devices[0]))).toBe('bad-approval');
    world.append(forge(world, ada.devices[0], { kind: 'revoke-device', device: cy.devices[0].id }));
    const again = createRoleChange({
      ...world.as(ada.devices[0]),
      member: dee.id,
      role: 'admin',
      asProposal: true,
    });
    expect(codeFrom(() => approval(again, cy.devices[0]))).toBe('bad-approval');
  });

  test('is over these bytes and no others', () => {
    const other = createRoleChange({
      ...world.as(ada.devices[0]),
      member: bo.id,
      role: 'member',
      asProposal: true,
    });
    const stray = approval(other, cy.devices[0]);
    expect(refusal(world, forced(wire, approval(wire, bo.devices[0]), stray))).toBe('bad-signature');
  });

  test('is void once the log has grown', () => {
    const given = [approval(wire, bo.devices[0]), approval(wire, cy.devices[0])];
    world.append(forge(world, ada.devices[0], { kind: 'revoke-device', device: dee.devices[0].id }));
    expect(codeFrom(() => approved(wire, ...given))).toBe('wrong-predecessor');
    expect(codeFrom(() => approval(wire, bo.devices[0]))).toBe('wrong-predecessor');
  });

  test('more than are asked for are refused: a relay could drop one and have two logs', () => {
    require4();
    const act = createWipe({
      ...world.as(ada.devices[0]),
      target: { of: 'member', member: dee.id },
      asProposal: true,
    });
    const one = approval(act, bo.devices[0]);
    expect(refusal(world, forced(act, one, approval(act, cy.devices[0])))).toBe('bad-approval');
    expect(refusal(world, forced(act, one))).toBe(null);
  });

  function require4(): void {
    const policy = { ...world.state.policy, approvals: { administration: 3, wipe: 2 } };
    const change = createPolicyChange({ ...world.as(ada.devices[0]), policy, asProposal: true });
    world.append(approved(change, approval(change, bo.devices[0]), approval(change, cy.devices[0])));
  }
});

describe('administration takes at least as many as anything else', () => {
  test('so that nobody lowers a number, or names an approver, alone', () => {
    require({ export: 3 });
    const lower = { ...world.state.policy, approvals: { wipe: 2 } };
    const wire = createPolicyChange({ ...world.as(ada.devices[0]), policy: lower, asProposal: true });
    const one = approval(wire, bo.devices[0]);
    expect(refusal(world, wire)).toBe('approval-needed');
    expect(refusal(world, forced(wire, one))).toBe('approval-needed');
    expect(refusal(world, forced(wire, one, approval(wire, cy.devices[0])))).toBe(null);
    expect(refusal(world, forge(world, ada.devices[0], role(dee, 'admin')))).toBe('approval-needed');
  });
});

describe('a proposal', () => {
  test('is refused at once when no approval could make it right', () => {
    require({ administration: 2 });
    const context = { ...world.as(dee.devices[0]), asProposal: true };
    expect(codeFrom(() => createRoleChange({ ...context, member: dee.id, role: 'admin' }))).toBe(
      'not-permitted',
    );
  });

  test('whose author’s signature is not good is not approved', () => {
    require({ administration: 2 });
    const wire = forge(world, bo.devices[0], role(dee, 'admin'), { claimedAuthor: ada.devices[0].id });
    expect(() => approval(wire, cy.devices[0])).toThrow(DirectoryError);
    expect(codeFrom(() => approval(wire, cy.devices[0]))).toBe('bad-signature');
  });
});
