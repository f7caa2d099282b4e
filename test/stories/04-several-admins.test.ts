import {
  createOrganisation,
  DEFAULT_POLICY,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type InviteView,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { parseInviteLink } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

let relay: Relay;
let ada: Device;
let bo: Device;
let cy: Device;
const options = () => ({ definition, ports: nodePorts, store: memoryDeviceStore() });

/** Until this device's copy of the membership log is as long as the other's. */
async function knowsWhat(device: Device, other: Device): Promise<void> {
  await expect.poll(() => device.directorySize, { timeout: 20_000 }).toBe(other.directorySize);
}

const roleOf = (device: Device, handle: string): string | undefined =>
  device.members().find((member) => member.handle === handle)?.role;

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  ada = await createOrganisation({ ...options(), relayUrl: relay.url, handle: 'ada' });
  bo = await join({ ...options(), link: await ada.invite({ role: 'admin' }), handle: 'bo' });
  cy = await join({ ...options(), link: await ada.invite(), handle: 'cy' });
});

afterAll(async () => {
  for (const client of [ada, bo, cy]) await client?.close();
  await relay?.close();
});

test('one admin alone decides that from now on two must agree', async () => {
  await ada.setPolicy((policy) => ({ ...policy, approvals: { administration: 2, wipe: 2 } }));
  expect(ada.policy).toMatchObject({ ...DEFAULT_POLICY, approvals: { administration: 2, wipe: 2 } });
  await knowsWhat(bo, ada);
});

test('then one alone changes no role and no policy, and wipes nobody', async () => {
  const size = ada.directorySize;
  await expect(ada.setRole(cy.member, 'admin')).rejects.toMatchObject({ code: 'approval-needed' });
  await expect(ada.setPolicy(() => DEFAULT_POLICY)).rejects.toMatchObject({ code: 'approval-needed' });
  await expect(ada.wipe({ of: 'member', member: cy.member })).rejects.toMatchObject({
    code: 'approval-needed',
  });
  await expect(ada.removeMember(bo.member)).rejects.toMatchObject({ code: 'approval-needed' });
  expect(ada.directorySize).toBe(size);
});

test('a proposal says who would do what, and with the other admin’s approval it happens', async () => {
  const proposal = await ada.propose({ kind: 'role', member: cy.member, role: 'admin' });
  expect(bo.readProposal(proposal)).toEqual({
    body: { kind: 'role', member: cy.member, role: 'admin' },
    author: { member: ada.member, handle: 'ada', device: ada.device },
    approvals: 1,
    doneAt: null,
  });
  await expect(ada.submit(proposal, [])).rejects.toMatchObject({ code: 'approval-needed' });
  const approval = await bo.approve(proposal);
  await ada.submit(proposal, [approval]);
  const size = ada.directorySize;
  expect(roleOf(ada, 'cy')).toBe('admin');

  // Whoever submits it again, after a lost answer or on another device, is told that it is done.
  await ada.submit(proposal, [approval]);
  await knowsWhat(bo, ada);
  await bo.submit(proposal, [approval]);
  expect([ada.directorySize, bo.readProposal(proposal).doneAt]).toEqual([size, size - 1]);
  await expect(bo.approve(proposal)).rejects.toMatchObject({ code: 'wrong-predecessor' });
  await knowsWhat(cy, ada);
  expect(roleOf(cy, 'cy')).toBe('admin');
});

test('nobody approves their own, twice, more than is asked for, or something else', async () => {
  await knowsWhat(bo, ada);
  const proposal = await ada
    .propose({ kind: 'wipe', target: { of: 'everyone-but-admins' } })
    .catch(() => null);
  // There is nobody but admins.
  expect(proposal).toBeNull();
  const demotion = await ada.propose({ kind: 'role', member: cy.member, role: 'member' });
  const other = await ada.propose({ kind: 'role', member: cy.member, role: 'exporter' });
  await expect(ada.approve(demotion)).rejects.toMatchObject({ code: 'bad-approval' });
  const approval = await bo.approve(demotion);
  await expect(ada.submit(other, [approval])).rejects.toMatchObject({ code: 'bad-signature' });
  await expect(ada.submit(demotion, [approval, approval])).rejects.toMatchObject({ code: 'malformed' });
  await expect(ada.submit(demotion, [approval, await cy.approve(demotion)])).rejects.toMatchObject({
    code: 'bad-approval',
  });
  const altered = approval.map((byte, at) => (at === approval.length - 1 ? byte ^ 1 : byte));
  await expect(ada.submit(demotion, [altered])).rejects.toMatchObject({ code: 'bad-signature' });
  await expect(ada.submit(demotion, [Uint8Array.of(1)])).rejects.toMatchObject({ code: 'malformed' });
  expect(roleOf(ada, 'cy')).toBe('admin');
});

test('a member who is no admin proposes nothing and approves nothing', async () => {
  const demotion = await ada.propose({ kind: 'role', member: cy.member, role: 'member' });
  await ada.submit(demotion, [await bo.approve(demotion)]);
  await Promise.all([knowsWhat(cy, ada), knowsWhat(bo, ada)]);
  await expect(cy.propose({ kind: 'role', member: cy.member, role: 'admin' })).rejects.toMatchObject({
    code: 'not-permitted',
  });
  const proposal = await ada.propose({ kind: 'wipe', target: { of: 'member', member: cy.member } });
  await expect(cy.approve(proposal)).rejects.toMatchObject({ code: 'bad-approval' });
});

test('an admin is invited with two approvals, by a link that the proposal does not hold', async () => {
  await knowsWhat(bo, ada);
  await expect(ada.invite({ role: 'admin' })).rejects.toMatchObject({ code: 'approval-needed' });
  const { proposal, link } = await ada.proposeInvite({ in: 'member', role: 'admin' });
  const { seed, checkpoint } = parseInviteLink(link);
  expect(checkpoint.size).toBe(ada.directorySize);
  expect(seed.use((secret) => Buffer.from(proposal).includes(Buffer.from(secret)))).toBe(false);
  await expect(join({ ...options(), link, handle: 'di' })).rejects.toMatchObject({
    relayCode: 'login-refused',
  });
  await bo.submit(proposal, [await bo.approve(proposal)]);
  const di = await join({ ...options(), link, handle: 'di' });
  await knowsWhat(ada, di);
  expect(roleOf(ada, 'di')).toBe('admin');
  await di.close();
});

test('a device for another admin comes in the same way', async () => {
  await knowsWhat(bo, ada);
  await expect(ada.inviteDevice({ member: bo.member })).rejects.toMatchObject({ code: 'approval-needed' });
  const { proposal, link } = await ada.proposeInvite({ in: 'device', member: bo.member });
  expect(bo.readProposal(proposal)).toMatchObject({ body: { kind: 'invite-device', member: bo.member } });
  await ada.submit(proposal, [await bo.approve(proposal)]);
  const second = await join({ ...options(), link });
  expect(second.member).toBe(bo.member);
  await second.revokeDevice(second.device);
  await second.close();
});

test('a proposal is over once the log has grown', async () => {
  const proposal = await ada.propose({ kind: 'role', member: cy.member, role: 'exporter' });
  const direct = await ada.propose({ kind: 'role', member: cy.member, role: 'exporter' });
  await bo.setRole(cy.member, 'exporter');
  await knowsWhat(ada, bo);
  expect(() => ada.readProposal(proposal)).toThrow(expect.objectContaining({ code: 'wrong-predecessor' }));
  await expect(bo.approve(proposal)).rejects.toMatchObject({ code: 'wrong-predecessor' });
  await expect(ada.submit(direct, [])).rejects.toMatchObject({ code: 'wrong-predecessor' });
});

test('two admins who act at the same moment both get their way, one after the other', async () => {
  await ada.invite();
  const size = ada.directorySize;
  const [invite] = ada.invites();
  await Promise.all([
    ada.revokeInvite((invite as InviteView).id),
    bo.inviteDevice(),
    ada.invite(),
    bo.invite(),
  ]);
  await Promise.all([knowsWhat(ada, bo), knowsWhat(bo, ada)]);
  await expect.poll(() => ada.directorySize, { timeout: 20_000 }).toBe(size + 4);
  await expect.poll(() => ada.invites().length, { timeout: 20_000 }).toBe(3);
});

test('a wipe that two agreed on ends the device, which stays listed as told to destroy what it holds', async () => {
  await knowsWhat(bo, ada);
  const proposal = await ada.propose({ kind: 'wipe', target: { of: 'device', device: cy.device } });
  await bo.submit(proposal, [await bo.approve(proposal)]);
  await expect.poll(() => cy.state.kind, { timeout: 20_000 }).toBe('wiped');
  expect(bo.devices().find(({ id }) => id === cy.device)?.state).toBe('wiped');
  expect(bo.members().find(({ handle }) => handle === 'cy')?.devices).toEqual([]);
});

test('whoever ends their own device is told so, not that something failed', async () => {
  const second = await join({ ...options(), link: await ada.inviteDevice() });
  await second.revokeDevice(second.device);
  await expect.poll(() => second.state.kind, { timeout: 20_000 }).toBe('stopped');
  await second.close();
});
