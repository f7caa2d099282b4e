import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
  type IdentityChange,
  type MemberView,
  type OwnDevice,
  type Ports,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { signBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import {
  deviceClaim,
  inviteIdOf,
  parseInviteLink,
  publishKeys,
  signEntry,
  type DirectoryState,
} from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { relayThatAdds } from './relay-that-adds.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

let relay: Relay;
let ada: Device;
let bo: Device;
const open: Device[] = [];
const told: { identity: IdentityChange[]; own: OwnDevice[] } = { identity: [], own: [] };

/** A store that can be opened again after its client was closed. */
const keptStore = (): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} });
const options = (ports: Ports = nodePorts) => ({ definition, ports, store: memoryDeviceStore() });

async function joined(link: string, handle?: string, ports?: Ports): Promise<Device> {
  const client = await join({ ...options(ports), link, ...(handle === undefined ? {} : { handle }) });
  open.push(client);
  return client;
}

/** Until this device's copy of the membership log is as long as the other's. */
async function knowsWhat(device: Device, other: Device): Promise<void> {
  await expect.poll(() => device.directorySize, { timeout: 20_000 }).toBe(other.directorySize);
}

async function texts(device: Device, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const item of device.collections.chat.follow(AbortSignal.timeout(50_000))) {
    found.push(`${item.handle}: ${item.body.text}`);
    if (found.length === count) break;
  }
  return found;
}

function viewOf(device: Device, handle: string): MemberView {
  return device.members().find((member) => member.handle === handle) as MemberView;
}

const refused = { code: 'relay-refused', relayCode: 'login-refused' };

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  ada = await createOrganisation({ ...options(), relayUrl: relay.url, handle: 'ada' });
  ada.on('identity', (change) => told.identity.push(change));
  ada.on('own-device', (own) => told.own.push(own));
  bo = await joined(await ada.invite(), 'bo');
});

afterAll(async () => {
  await ada?.close();
  for (const client of open) await client.close();
  await relay?.close();
});

test('the admin ends the lost phone: it is out, and its member stays without a device', async () => {
  await ada.revokeDevice(bo.device);
  await expect.poll(() => bo.state.kind, { timeout: 20_000 }).toBe('stopped');
  expect(viewOf(ada, 'bo').devices).toEqual([]);
  expect(ada.devices().filter(({ id }) => id === bo.device)).toMatchObject([{ state: 'revoked' }]);
});

test('with a new phone the same person is back, under the name they had, and reads what is written', async () => {
  const link = await ada.inviteDevice({ member: bo.member });
  const phone = await joined(link);
  expect([phone.member, viewOf(phone, 'bo').devices]).toEqual([bo.member, [phone.device]]);
  expect(viewOf(phone, 'bo').self).toBe(true);
  await ada.collections.chat.append({ text: 'are you back?' });
  expect(await texts(phone, 1)).toEqual(['ada: are you back?']);
  await phone.collections.chat.append({ text: 'I am' });
  expect(await texts(ada, 2)).toEqual(['ada: are you back?', 'bo: I am']);

  // The link is spent, for everybody.
  await expect(joined(link)).rejects.toMatchObject(refused);
});

test('the others see that the devices changed, until they have taken note of it', async () => {
  const phone = viewOf(ada, 'bo').devices[0];
  expect(told.identity).toMatchObject([
    { handle: 'bo', added: [], revoked: [bo.device] },
    { handle: 'bo', added: [phone], revoked: [] },
  ]);
  const seen = viewOf(ada, 'bo');
  expect(seen.changed).toBe(true);
  await ada.acknowledge(seen);
  expect(viewOf(ada, 'bo').changed).toBe(false);
  // A view from before a change acknowledges nothing of it.
  const second = await joined(await ada.inviteDevice({ member: bo.member }));
  await knowsWhat(ada, second);
  await ada.acknowledge(seen);
  expect(viewOf(ada, 'bo').changed).toBe(true);
  await ada.acknowledge(viewOf(ada, 'bo'));
});

test('what was acknowledged, and what changed, is known to a device that is opened again', async () => {
  const store = keptStore();
  const link = await ada.invite();
  const first = await join({ definition, ports: nodePorts, store, link, handle: 'cy' });
  expect(first.members().map(({ changed }) => changed)).toEqual([false, false, false]);
  const second = await joined(await ada.inviteDevice());
  await knowsWhat(first, second);
  await first.close();
  const again = await connect({ definition, ports: nodePorts, store });
  expect(viewOf(again, 'ada').changed).toBe(true);
  await again.acknowledge(viewOf(again, 'ada'));
  await again.close();
  const third = await connect({ definition, ports: nodePorts, store });
  open.push(third);
  expect(viewOf(third, 'ada').changed).toBe(false);
});

test('a device of one’s own that this one did not invite is an alarm; one that it invited is not', async () => {
  const second = ada.devices().find(({ member, self }) => member === ada.member && !self);
  expect(told.own).toEqual([]);
  expect(viewOf(ada, 'ada').changed).toBe(false);
  const admin = open.find(({ device }) => device !== second?.id && device !== bo.device) as Device;
  await ada.setRole(admin.member, 'admin');
  await knowsWhat(admin, ada);
  const stranger = await joined(await admin.inviteDevice({ member: ada.member }));
  await knowsWhat(ada, stranger);
  expect(told.own).toEqual([{ device: stranger.device, invitedBy: admin.device }]);
  expect(viewOf(ada, 'ada').changed).toBe(true);
  await ada.revokeDevice(stranger.device);
});

test('two people see one safety number, and another one when either has another device', async () => {
  const cy = open.at(-2) as Device;
  const before = ada.safetyNumber(cy.member).digits;
  await knowsWhat(cy, ada);
  expect(cy.safetyNumber(ada.member).digits).toBe(before);
  const second = await joined(await cy.inviteDevice());
  await knowsWhat(ada, second);
  expect(ada.safetyNumber(cy.member).digits).not.toBe(before);
});

test('an invite that has expired, or was taken back, lets nobody in', async () => {
  const expired = await ada.inviteDevice({ member: bo.member, validForMs: 1 });
  await nodePorts.clock.wait(20);
  await expect(joined(expired)).rejects.toMatchObject(refused);

  const revoked = await ada.inviteDevice({ member: bo.member });
  const invites = ada.invites();
  expect(invites.map(({ lets, expired: isOver }) => [lets, isOver])).toEqual([
    [{ in: 'device', member: bo.member }, true],
    [{ in: 'device', member: bo.member }, false],
  ]);
  for (const { id } of invites) await ada.revokeInvite(id);
  expect(ada.invites()).toEqual([]);
  await expect(joined(revoked)).rejects.toMatchObject(refused);
});

test('a link for a new member wants a name, also of whoever gave none at first', async () => {
  const link = await ada.invite();
  const store = keptStore();
  const nameless = { definition, ports: nodePorts, store, link };
  await expect(join(nameless)).rejects.toMatchObject({ code: 'handle-needed' });
  const di = await join({ ...nameless, handle: 'di' });
  expect(viewOf(di, 'di').self).toBe(true);
  await di.close();
});

test('a device whose process ended before it knew that it was in, is in', async () => {
  const store = keptStore();
  const link = await ada.inviteDevice({ member: bo.member });
  const cut: Ports = {
    ...nodePorts,
    fetch: async (input, init) => {
      const response = await nodePorts.fetch(input, init);
      const isAppend = init?.method === 'POST' && String(input).endsWith('/log');
      if (isAppend) throw new TypeError('the line was cut');
      return response;
    },
  };
  await expect(join({ definition, ports: cut, store, link })).rejects.toMatchObject({ code: 'offline' });
  const phone = await join({ definition, ports: nodePorts, store, link });
  expect(phone.member).toBe(bo.member);
  await phone.close();
  const again = await connect({ definition, ports: nodePorts, store });
  expect([again.device, again.member]).toEqual([phone.device, bo.member]);
  open.push(again);
});

test('the relay cannot use the invite: it has no seed, and a device of its own making is in nobody’s log', async () => {
  const { ports, add } = relayThatAdds();
  const link = await ada.inviteDevice({ member: bo.member });
  const watcher = await joined(await ada.invite(), 'eve', ports);
  const own = primitives.signer(random(32));
  const device = {
    signer: own,
    abilities: 0,
    sealingPublicKey: primitives.decapsulator(random(32)).publicKey,
    notBeforeMs: Date.now() - 1000,
    notAfterMs: Date.now() + 86_400_000,
  };
  const forged = (state: DirectoryState): Uint8Array => {
    const keys = publishKeys(primitives, device);
    const place = { org: state.org, previousHash: state.headHash };
    const invite = parseInviteLink(link).seed.use((seed) =>
      inviteIdOf(primitives, primitives.signer(seed).publicKey),
    );
    const claim = deviceClaim({ ...place, member: bo.member, ...keys });
    const inviteSignature = signBytes(primitives, own, 'inviteSignature', claim);
    return signEntry(primitives, own, {
      ...place,
      index: state.size,
      timeMs: Math.max(Date.now(), state.timeMs),
      body: { kind: 'add-device', invite, ...keys, inviteSignature },
    });
  };
  add(forged);
  await expect(watcher.setRole(watcher.member, 'admin')).rejects.toMatchObject({
    code: 'relay-forked',
    cause: { code: 'bad-signature' },
  });
  expect(viewOf(watcher, 'bo').devices).toEqual(viewOf(ada, 'bo').devices);
});
