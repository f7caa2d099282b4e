import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type AccessEvent,
  type AccessRequestView,
  type Client,
  type DeviceStore,
  type MemberView,
} from '@keytide/client';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { leapingClock } from './leaping-clock.ts';

const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string().min(1) })),
  requests: sensitive.record(z.object({ title: z.string() })),
});
type Device = Client<typeof definition>;

const HOUR_MS = 3_600_000;
const PATIENCE = { timeout: 20_000 };
const policy = { blockSeconds: 3600, retentionSeconds: 24 * 3600, exportSeconds: 48 * 3600 };
const clock = leapingClock(1_767_225_600_000 + 600_000);
const keptStore = (): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} });
const options = (store: DeviceStore = keptStore()) => ({ definition, ports: clock.ports(), store });

let relay: Relay;
let ada: Device;
let bo: Device;
let phone: Device;
/** The newest before the phone came. */
let lastEpoch: number;
const phoneStore = keptStore();
const told = new Map<Device, AccessEvent[]>();

function listening(client: Device): Device {
  const events: AccessEvent[] = [];
  client.on('access', (event) => events.push(event));
  told.set(client, events);
  return client;
}

const toldOf = (client: Device, kind: AccessEvent['kind']): AccessEvent[] =>
  (told.get(client) ?? []).filter((event) => event.kind === kind);
const codesOf = (client: Device): string[] => client.unreadable.map(({ code }) => code);
const viewOf = (client: Device, handle: string): MemberView =>
  client.members().find((member) => member.handle === handle) as MemberView;

const epochsTo = (last: number): number[] => Array.from({ length: last - 1 }, (_, i) => i + 2);

/** The chat as an app shows it, once so much of it is readable: in the order in which it was written. */
async function texts(client: Device, count: number): Promise<string[]> {
  const found: { seq: number; text: string }[] = [];
  for await (const { seq, body } of client.collections.chat.follow(AbortSignal.timeout(20_000))) {
    found.push({ seq, text: body.text });
    if (found.length === count) break;
  }
  return found.toSorted((a, b) => a.seq - b.seq).map(({ text }) => text);
}

/** The request of this device, once it waits for the admin's word for these reasons. */
async function waiting(asker: Device, needs: readonly string[]): Promise<AccessRequestView> {
  const found = (): AccessRequestView | undefined =>
    ada.access.inbox.find(({ device }) => device === asker.device);
  await expect.poll(() => found()?.needs, PATIENCE).toEqual(needs);
  return found() as AccessRequestView;
}

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, clock });
  ada = listening(await createOrganisation({ ...options(), relayUrl: relay.url, handle: 'ada', policy }));
  await ada.collections.chat.append({ text: 'before bo came' });
  bo = listening(await join({ ...options(), link: await ada.invite(), handle: 'bo' }));
  await ada.collections.chat.append({ text: 'welcome, bo' });
  await bo.collections.requests.create({ title: 'a new desk' });
  await bo.settled();
  await ada.settled();
  lastEpoch = bo.epoch;
});

afterAll(async () => {
  for (const client of told.keys()) await client.close();
  await relay?.close();
});

test('a second phone cannot read what was written before it came, and says why', async () => {
  phone = listening(await join({ ...options(phoneStore), link: await bo.inviteDevice() }));
  await phone.online();
  await ada.collections.chat.append({ text: 'hello, new phone' });
  expect(await texts(phone, 1)).toEqual(['hello, new phone']);
  expect(codesOf(phone)).toEqual(['ask-an-admin', 'ask-an-admin', 'ask-an-admin']);
  expect(phone.access.outstanding).toBeNull();
});

test('it asks, for what its member may read; the admin sees who and what, and why it takes a person', async () => {
  const own = await phone.access.request();
  expect(own).toEqual(phone.access.outstanding);
  const view = await waiting(phone, ['first-request', 'identity-changed']);
  expect(view).toMatchObject({
    id: own?.id,
    handle: 'bo',
    member: bo.member,
    role: 'member',
    device: phone.device,
  });
  // Not the epoch in which Bo was not there yet.
  expect(view.gives).toMatchObject({ firstEpoch: 2, lastEpoch });
  expect(view.gives.toMs - view.gives.fromMs).toBe(HOUR_MS);
  // Asking again is the same request.
  expect((await phone.access.request())?.id).toBe(own?.id);
  expect(bo.access.inbox).toEqual([]);
  await ada.acknowledge(viewOf(ada, 'bo'));
  await waiting(phone, ['first-request']);
});

test('the admin approves, and the old messages and records are readable in place', async () => {
  const [view] = ada.access.inbox;
  await ada.access.approve(view?.id as string);
  expect(ada.access.inbox).toEqual([]);
  await expect
    .poll(() => toldOf(phone, 'granted'), PATIENCE)
    .toEqual([{ kind: 'granted', epochs: epochsTo(lastEpoch), by: ada.member }]);
  expect(await texts(phone, 2)).toEqual(['welcome, bo', 'hello, new phone']);
  expect(phone.collections.requests.list().map(({ body }) => body.title)).toEqual(['a new desk']);
  expect(codesOf(phone)).toEqual(['ask-an-admin']);
  expect(phone.access.outstanding).toBeNull();
  // What is left is not for Bo: there is nothing to ask for.
  expect(await phone.access.request()).toBeNull();
});

test('everybody finds the grant in their audit, without a key in it', async () => {
  const { entries } = await bo.audit({ offline: true });
  const grant = entries.find(({ body }) => body.kind === 'grant');
  expect(grant).toMatchObject({
    body: { device: phone.device, firstEpoch: 2, lastEpoch },
    signedBy: [{ handle: 'ada' }],
    alarm: null,
  });
});

test('it is all there after a restart', async () => {
  await phone.close();
  told.delete(phone);
  phone = listening(await connect(options(phoneStore)));
  expect(await texts(phone, 2)).toEqual(['welcome, bo', 'hello, new phone']);
  await phone.online();
  expect(codesOf(phone)).toEqual(['ask-an-admin']);
});

test('keys that it misses later come in the background, with nobody asked', async () => {
  const before = toldOf(ada, 'inbox').length;
  await phone.close();
  told.delete(phone);
  clock.leap(4 * HOUR_MS);
  await expect.poll(() => ada.state.kind, PATIENCE).toBe('online');
  await ada.collections.chat.append({ text: 'while you were away' });
  await ada.settled();
  phone = listening(await connect(options(phoneStore)));
  await expect.poll(() => toldOf(phone, 'granted').length, PATIENCE).toBe(1);
  expect((await texts(phone, 3)).at(-1)).toBe('while you were away');
  expect(toldOf(ada, 'inbox').length).toBe(before);
  expect(codesOf(phone)).toEqual(['ask-an-admin']);
});

test('an admin can say no, in words that the person reads; the phone does not nag', async () => {
  const tablet = listening(await join({ ...options(), link: await bo.inviteDevice() }));
  await tablet.online();
  await expect.poll(() => codesOf(tablet).length, PATIENCE).toBeGreaterThan(0);
  await tablet.access.request();
  const view = await waiting(tablet, ['first-request', 'identity-changed']);
  await ada.access.refuse(view.id, 'Please show me the tablet first.');
  await expect
    .poll(() => toldOf(tablet, 'refused'), PATIENCE)
    .toEqual([{ kind: 'refused', reason: 'Please show me the tablet first.', by: ada.member }]);
  expect(tablet.access.outstanding).toBeNull();
  expect(toldOf(tablet, 'granted')).toEqual([]);
  await expect(ada.access.approve(view.id)).rejects.toMatchObject({ code: 'unknown-request' });
});
