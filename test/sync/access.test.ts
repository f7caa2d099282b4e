import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type AccessEvent,
  type Client,
  type DeviceStore,
  type MemberView,
  type Ports,
} from '@keytide/client';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { hostileRelay, type HostileCall, type HostileRelay } from '@keytide/testkit/hostile-relay';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { leapingClock } from '../stories/leaping-clock.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

/** A device that can be closed and opened again. */
interface Person {
  client: Device;
  readonly store: DeviceStore;
  readonly ports: Ports;
  readonly told: AccessEvent[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PATIENCE = { timeout: 30_000 };
const policy = { blockSeconds: 86_400, retentionSeconds: 7 * 86_400, exportSeconds: 14 * 86_400 };
const clock = leapingClock(1_767_225_600_000 + HOUR_MS);

let relay: Relay;
let hostile: HostileRelay;
const people: Person[] = [];

beforeAll(async () => {
  hostile = await hostileRelay({
    async target(publicUrl) {
      relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, clock, publicUrl });
      return relay.url;
    },
  });
});
afterEach(async () => {
  hostile.relent();
  for (const { client } of people.splice(0)) await client.close();
});
afterAll(async () => {
  await hostile?.close();
  await relay?.close();
});

const keptStore = (): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} });

async function person(
  open: (options: { definition: typeof definition; store: DeviceStore; ports: Ports }) => Promise<Device>,
  ports = clock.ports(),
): Promise<Person> {
  const store = keptStore();
  const client = await open({ definition, store, ports });
  const made: Person = { client, store, ports, told: [] };
  client.on('access', (event) => made.told.push(event));
  people.push(made);
  await client.online();
  return made;
}

const founds = (ports?: Ports): Promise<Person> =>
  person(
    (options) => createOrganisation({ ...options, relayUrl: hostile.url, handle: 'ada', policy }),
    ports,
  );
const joins = (link: string, handle?: string, ports?: Ports): Promise<Person> =>
  person((options) => join({ ...options, link, ...(handle === undefined ? {} : { handle }) }), ports);

async function leaves(one: Person): Promise<void> {
  await one.client.close();
  people.splice(people.indexOf(one), 1);
}

async function returns(one: Person): Promise<void> {
  one.client = await connect({ definition, store: one.store, ports: one.ports });
  one.client.on('access', (event) => one.told.push(event));
  people.push(one);
  await one.client.online();
}

const textsOf = ({ client }: Person): string[] => client.collections.chat.read().map(({ body }) => body.text);
const toldOf = ({ told }: Person, kind: AccessEvent['kind']): AccessEvent[] =>
  told.filter((event) => event.kind === kind);
const viewOf = ({ client }: Person, handle: string): MemberView =>
  client.members().find((member) => member.handle === handle) as MemberView;

async function readable(one: Person, text: string): Promise<void> {
  await expect.poll(() => textsOf(one), PATIENCE).toContain(text);
}

async function waiting(admin: Person): Promise<string> {
  await expect.poll(() => admin.client.access.inbox.length, PATIENCE).toBe(1);
  return admin.client.access.inbox[0]?.id as string;
}

/** Ada, and bo who has said something before his new phone came. */
async function scene(): Promise<{ ada: Person; bo: Person; phone: Person }> {
  const ada = await founds();
  const bo = await joins(await ada.client.invite(), 'bo');
  await bo.client.collections.chat.append({ text: 'from before' });
  await bo.client.settled();
  await readable(ada, 'from before');
  const phone = await joins(await bo.client.inviteDevice());
  await expect.poll(() => phone.client.unreadable.length, PATIENCE).toBeGreaterThan(0);
  return { ada, bo, phone };
}

/** The relay has a problem of its own with these calls, until the returned function is called. */
function fails(
  isHit: (call: HostileCall) => boolean,
  answer: { readonly status: number; readonly body: unknown } = BAD_DAY,
): {
  readonly end: () => void;
  readonly count: () => number;
} {
  let count = 0;
  const end = hostile.attack({
    async call(call, forward) {
      if (!isHit(call)) return await forward(call);
      count += 1;
      return answer;
    },
  });
  return { end, count: () => count };
}

const BAD_DAY = { status: 503, body: { code: 'unavailable', message: 'a bad day' } };

const isAnswering = ({ method, path }: HostileCall): boolean =>
  method === 'POST' && path.endsWith('/answers');
const isAppending = ({ method, path }: HostileCall): boolean => method === 'POST' && path.endsWith('/log');

test('the device and the admin are never online together, with a day between', async () => {
  const { ada, bo, phone } = await scene();
  await leaves(bo);
  await leaves(ada);
  const own = await phone.client.access.request();
  await phone.client.online();
  await expect.poll(async () => (await phone.store.keys.names('access/request')).length).toBe(1);
  await leaves(phone);
  clock.leap(DAY_MS);
  await returns(phone);
  expect(phone.client.access.outstanding?.id).toBe(own?.id);
  await leaves(phone);
  clock.leap(HOUR_MS);
  await returns(ada);
  expect(await waiting(ada)).toBe(own?.id);
  await ada.client.access.approve(own?.id as string);
  await leaves(ada);
  clock.leap(DAY_MS);
  await returns(phone);
  await readable(phone, 'from before');
  expect(phone.client.access.outstanding).toBeNull();
});

test('an approval that cannot be carried out is carried out after a restart', async () => {
  const { ada, phone } = await scene();
  await phone.client.access.request();
  const id = await waiting(ada);
  const outage = fails(isAnswering);
  await expect(ada.client.access.approve(id)).rejects.toMatchObject({ code: 'offline' });
  expect(outage.count()).toBeGreaterThan(0);
  expect(ada.client.access.inbox).toEqual([]);
  await leaves(ada);
  outage.end();
  await returns(ada);
  await readable(phone, 'from before');
});

/** The process died before this had reached the disk; and others have written in the membership log since. */
async function loses({ store }: Person, other: Person): Promise<void> {
  await (await store.journal('group')).cut(0);
  await other.client.inviteDevice();
}

test('what a person asked for outlives a restart that has yet to read the log again, and so does its answer', async () => {
  const { ada, bo, phone } = await scene();
  const own = await phone.client.access.request();
  const id = await waiting(ada);
  await leaves(phone);
  await loses(phone, bo);
  await returns(phone);
  expect(phone.client.access.outstanding?.id).toBe(own?.id);
  await leaves(phone);
  await ada.client.access.approve(id);
  await loses(phone, bo);
  await returns(phone);
  await readable(phone, 'from before');
  expect(toldOf(phone, 'granted')).toMatchObject([{ epochs: [1] }]);
});

test('what an admin has decided outlives a restart that has yet to read the log again', async () => {
  const { ada, bo, phone } = await scene();
  await phone.client.access.request();
  const id = await waiting(ada);
  const outage = fails(isAnswering);
  await expect(ada.client.access.approve(id)).rejects.toMatchObject({ code: 'offline' });
  await leaves(ada);
  outage.end();
  await loses(ada, bo);
  await returns(ada);
  await readable(phone, 'from before');
});

test('what the relay fails at while it is there is tried again after seconds', async () => {
  const { ada, phone } = await scene();
  await phone.client.access.request();
  const id = await waiting(ada);
  const isTaking = ({ method, path }: HostileCall): boolean => method === 'GET' && path.endsWith('/answers');
  const outage = fails(isTaking);
  await ada.client.access.approve(id);
  await phone.client.collections.chat.append({ text: 'and after it' });
  await readable(ada, 'and after it');
  await expect.poll(outage.count, PATIENCE).toBeGreaterThan(1);
  // Then whatever stands before it says no, in words of its own.
  const page = fails(isTaking, { status: 429, body: 'slow down' });
  outage.end();
  clock.leap(6_000);
  await expect.poll(page.count, PATIENCE).toBeGreaterThan(0);
  page.end();
  clock.leap(6_000);
  await readable(phone, 'from before');
});

test('an admin who dies between the answer and the entry finishes it when they are back', async () => {
  const { ada, phone } = await scene();
  await phone.client.access.request();
  const id = await waiting(ada);
  const outage = fails(isAppending);
  await expect(ada.client.access.approve(id)).rejects.toMatchObject({ code: 'offline' });
  await leaves(ada);
  phone.client.access.wake();
  await phone.client.collections.chat.append({ text: 'still waiting' });
  await phone.client.settled();
  expect(textsOf(phone)).toEqual(['still waiting']);
  outage.end();
  await returns(ada);
  await readable(phone, 'from before');
  expect(toldOf(phone, 'granted').length).toBe(1);
});

test('a refusal that cannot be handed in is handed in later, and stays the answer', async () => {
  const { ada, phone } = await scene();
  await phone.client.access.request();
  const id = await waiting(ada);
  const outage = fails(isAnswering);
  await expect(ada.client.access.refuse(id, 'no')).rejects.toMatchObject({ code: 'offline' });
  await leaves(ada);
  outage.end();
  await returns(ada);
  await expect.poll(() => toldOf(phone, 'refused').length, PATIENCE).toBe(1);
  expect(ada.client.access.inbox).toEqual([]);
  expect(textsOf(phone)).not.toContain('from before');
});

test('a device that dies after it has taken the keys has them, and asks no more', async () => {
  const { ada, phone } = await scene();
  const outage = fails(({ method }) => method === 'DELETE');
  await phone.client.access.request();
  await ada.client.access.approve(await waiting(ada));
  await readable(phone, 'from before');
  await expect.poll(outage.count, PATIENCE).toBeGreaterThan(0);
  await leaves(phone);
  await returns(phone);
  await readable(phone, 'from before');
  expect(phone.client.access.outstanding).toBeNull();
  expect(await phone.client.access.request()).toBeNull();
});

test('a request that nobody answers for half the window is made anew, and the old one forgotten', async () => {
  const { ada, bo, phone } = await scene();
  for (const one of [ada, bo]) await leaves(one);
  const own = await phone.client.access.request();
  await leaves(phone);
  clock.leap(3.6 * DAY_MS);
  await returns(phone);
  await expect.poll(() => phone.client.access.outstanding?.id, PATIENCE).not.toBe(own?.id);
  await returns(ada);
  expect(await waiting(ada)).toBe(phone.client.access.outstanding?.id);
  await ada.client.access.approve(await waiting(ada));
  await readable(phone, 'from before');
});

test('two admins who answer at the same moment: one grant, one answer taken, no complaint', async () => {
  const hasty = (): Ports => {
    const ports = clock.ports();
    const random = (sizeBytes: number): Uint8Array =>
      sizeBytes === 1 ? Uint8Array.of(0) : ports.random(sizeBytes);
    return { ...ports, random };
  };
  const ada = await founds(hasty());
  const cy = await joins(await ada.client.invite({ role: 'admin' }), 'cy', hasty());
  const bo = await joins(await ada.client.invite(), 'bo');
  await bo.client.collections.chat.append({ text: 'from before' });
  await bo.client.settled();
  const phone = await joins(await bo.client.inviteDevice());
  await expect.poll(() => phone.client.unreadable.length, PATIENCE).toBeGreaterThan(0);
  for (const admin of [ada, cy])
    await expect.poll(() => viewOf(admin, 'bo').devices.length, PATIENCE).toBe(2);
  for (const admin of [ada, cy]) await admin.client.acknowledge(viewOf(admin, 'bo'));
  await phone.client.access.request();
  const ids = [await waiting(ada), await waiting(cy)];
  expect(ids[0]).toBe(ids[1]);
  // Nobody finds the other's entry before both have answered.
  let answered = 0;
  hostile.attack({
    async call(call, forward) {
      if (isAnswering(call)) answered += 1;
      for (let i = 0; isAppending(call) && answered < 2 && i < 500; i += 1)
        await new Promise((resolve) => setTimeout(resolve, 10));
      return await forward(call);
    },
  });
  await Promise.all([ada, cy].map((admin, i) => admin.client.access.approve(ids[i] as string)));
  expect(answered).toBe(2);
  await readable(phone, 'from before');
  await expect.poll(() => toldOf(phone, 'granted').length, PATIENCE).toBe(1);
  const { entries } = await phone.client.audit({ offline: true });
  expect(entries.filter(({ body }) => body.kind === 'grant').length).toBe(1);
});

/** The relay gives this device nothing of the group's log until the returned function is called. */
const withholdsLog = (device: string): (() => void) =>
  hostile.attack({
    victim: device as never,
    toClient: (frame) => (['entries', 'caught-up'].includes(frame.type) ? [] : [frame]),
  });

test('a person who asks is told to ask again where the relay holds the log back, or is out of reach and nothing is known', async () => {
  const { ada, phone } = await scene();
  await leaves(phone);
  await ada.client.collections.chat.append({ text: 'more' });
  const relents = withholdsLog(phone.client.device);
  phone.client = await connect({ definition, store: phone.store, ports: phone.ports });
  people.push(phone);
  await expect.poll(() => phone.client.state.kind, PATIENCE).toBe('catching-up');
  const asked = expect(phone.client.access.request()).rejects.toMatchObject({ code: 'not-ready' });
  // In steps in which the relay is heard: a leap of a minute would look like a connection that is lost.
  for (let step = 0; step < 12; step += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    clock.leap(5_100);
  }
  await asked;
  expect(phone.client.access.outstanding).toBeNull();
  relents();
  ada.client.pause();
  await expect.poll(() => ada.client.state.kind, PATIENCE).toBe('offline');
  await expect(ada.client.access.request()).rejects.toMatchObject({ code: 'not-ready' });
  ada.client.resume();
  await ada.client.online();
  expect(await ada.client.access.request()).toBeNull();
  await ada.client.close();
  await expect(ada.client.access.request()).rejects.toMatchObject({ code: 'closed' });
});
