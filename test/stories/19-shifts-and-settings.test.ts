import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  org,
  sensitive,
  system,
  type Client,
  type DeviceStore,
  type OrgChange,
  type Ports,
  type RefusedDocument,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const PATIENCE = { timeout: 20_000 };

const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string() })),
  shifts: org(z.object({ place: z.string().min(1), from: z.number() })),
  settings: org(z.object({ title: z.string() }), { writers: 'admins' }),
  pushToken: system(z.object({ token: z.string() })),
});
/** The same application in a later version, whose shifts look otherwise. */
const later = defineOrganisation({ ...definition, shifts: org(z.object({ where: z.array(z.string()) })) });
type Device = Client<typeof definition>;

/** Everything that one device says to the relay. */
class Said {
  readonly calls: { method: string; path: string }[] = [];
  readonly #bytes: Uint8Array[] = [];

  get ports(): Ports {
    const { calls } = this;
    const bytes = this.#bytes;
    return {
      ...nodePorts,
      fetch: (input, init) => {
        calls.push({ method: init?.method ?? 'GET', path: new URL(String(input)).pathname });
        const body = typeof init?.body === 'string' ? init.body : '';
        bytes.push(Buffer.from(body));
        // What travels as base64url may hide text: every string of it, as bytes.
        for (const [text] of body.matchAll(/[A-Za-z0-9_-]{8,}/g)) bytes.push(Buffer.from(text, 'base64url'));
        return nodePorts.fetch(input, init);
      },
      WebSocket: class extends WebSocket {
        override send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
          if (ArrayBuffer.isView(data))
            bytes.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
          super.send(data as Uint8Array<ArrayBuffer>);
        }
      },
    };
  }

  has(text: string): boolean {
    return this.#bytes.some((bytes) => Buffer.from(bytes).includes(text));
  }
}

let relay: Relay;
let ada: Device;
let bo: Device;
const said = new Said();
/** Survives that its client is closed. */
const boStore: DeviceStore = { ...memoryDeviceStore(), close: async () => {} };

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  const options = { definition, ports: nodePorts, store: memoryDeviceStore() };
  ada = await createOrganisation({ ...options, relayUrl: relay.url, handle: 'ada' });
  bo = await join({ definition, ports: said.ports, store: boStore, link: await ada.invite(), handle: 'bo' });
  await Promise.all([ada.online(), bo.online()]);
});

afterAll(async () => {
  await Promise.all([ada?.close(), bo?.close()]);
  await relay?.close();
});

test('a shift that one plans, the other sees without asking', async () => {
  const end = new AbortController();
  const seen: OrgChange<{ place: string; from: number }>[] = [];
  const following = (async () => {
    for await (const change of bo.collections.shifts.follow(end.signal)) {
      seen.push(change);
      if (seen.length === 3) end.abort();
    }
  })();
  expect(await bo.collections.shifts.list()).toEqual([]);
  let told = 0;
  const stop = bo.collections.shifts.subscribe(() => void (told += 1));
  const version = await ada.collections.shifts.put('mon', { place: 'north bank', from: 8 });
  await expect.poll(() => seen.length, PATIENCE).toBe(1);
  expect(await bo.collections.shifts.get('mon')).toEqual({
    id: 'mon',
    version,
    body: { place: 'north bank', from: 8 },
  });
  await bo.collections.shifts.put('mon', { place: 'south bank', from: 9 }, { ifVersion: version });
  await ada.collections.shifts.remove('mon');
  await following;
  await expect.poll(() => told, PATIENCE).toBe(3);
  stop();
  expect(seen.map(({ version: at, body }) => [at, body?.place ?? null])).toEqual([
    [1, 'north bank'],
    [2, 'south bank'],
    [3, null],
  ]);
  expect([await bo.collections.shifts.get('mon'), await ada.collections.shifts.list()]).toEqual([null, []]);
});

test('who has not seen the newest version does not write over it', async () => {
  const shifts = bo.collections.shifts;
  const first = await ada.collections.shifts.put('tue', { place: 'school', from: 8 }, { ifVersion: 0 });
  await ada.collections.shifts.put('tue', { place: 'school', from: 10 }, { ifVersion: first });
  const stale = { ifVersion: first };
  await expect(shifts.put('tue', { place: 'hall', from: 8 }, stale)).rejects.toMatchObject({
    code: 'version-conflict',
  });
  await expect(shifts.remove('tue', stale)).rejects.toMatchObject({ code: 'version-conflict' });
  await expect.poll(async () => (await shifts.get('tue'))?.body.from, PATIENCE).toBe(10);
  // What a view looks at is the same object until it changes, each document too.
  const shown = shifts.shown();
  expect(shown).toEqual(await shifts.list());
  expect(shifts.shown()).toBe(shown);
  const other = await ada.collections.shifts.put('other', { place: 'hall', from: 1 });
  await expect.poll(() => shifts.shown(), PATIENCE).not.toBe(shown);
  expect(shifts.shown()?.find(({ id }) => id === 'tue')).toBe(shown?.[0]);
  await ada.collections.shifts.remove('other', { ifVersion: other });
  await expect.poll(() => shifts.shown()?.length, PATIENCE).toBe(1);
});

test('settings are the admins’ to write, and everybody’s to read', async () => {
  await ada.collections.settings.put('main', { title: 'Flood 2030' });
  await expect(bo.collections.settings.put('main', { title: 'Mine' })).rejects.toMatchObject({
    code: 'relay-refused',
    relayCode: 'not-a-member',
  });
  await expect
    .poll(async () => (await bo.collections.settings.get('main'))?.body.title, PATIENCE)
    .toBe('Flood 2030');
});

test('what does not fit is not sent; what others wrote and does not fit is shown nowhere, and said', async () => {
  await expect(bo.collections.shifts.put('wed', { place: '', from: 1 })).rejects.toMatchObject({
    code: 'invalid-value',
  });
  const reports: RefusedDocument[] = [];
  ada.on('refused-document', (document) => reports.push(document));
  const cy = await join({
    definition: later,
    ports: nodePorts,
    store: memoryDeviceStore(),
    link: await ada.invite(),
    handle: 'cy',
  });
  const version = await cy.collections.shifts.put('tue', { where: ['school'] });
  await expect.poll(() => reports, PATIENCE).toEqual([{ collection: 'shifts', id: 'tue', version }]);
  expect(ada.collections.shifts.refused).toEqual(reports);
  expect(await ada.collections.shifts.get('tue')).toBeNull();
  expect(await ada.collections.shifts.list()).toEqual([]);
  await ada.collections.shifts.put('tue', { place: 'school', from: 11 }, { ifVersion: version });
  expect(ada.collections.shifts.refused).toEqual([]);
  expect((await ada.collections.shifts.get('tue'))?.body.from).toBe(11);
  await cy.close();
  for (const id of ['', '.', '..', 'a/b', '-a', 'x'.repeat(65)])
    await expect(bo.collections.shifts.put(id, { place: 'x', from: 1 }), id).rejects.toMatchObject({
      code: 'invalid-value',
    });
  const large = { place: 'x'.repeat(65_536), from: 1 };
  await expect(bo.collections.shifts.put('thu', large)).rejects.toMatchObject({ code: 'too-large' });
});

test('each class goes its own way: only what was declared org or system is readable at the relay', async () => {
  await bo.collections.chat.append({ text: 'the insulin is in the cellar' });
  await bo.settled();
  await bo.collections.shifts.put('fri', { place: 'readable at the relay', from: 7 });
  const before = said.calls.length;
  await bo.collections.pushToken.put({ token: 'token of the phone' });
  await bo.collections.pushToken.clear();
  const path = `/v1/organisations/${bo.org}/system/pushToken`;
  expect(said.calls.slice(before)).toEqual([
    { method: 'PUT', path },
    { method: 'PUT', path },
  ]);
  expect([said.has('readable at the relay'), said.has('token of the phone')]).toEqual([true, true]);
  expect(said.has('insulin')).toBe(false);
  const paths = new Set(said.calls.map((call) => call.path.split('/').slice(4).join('/')));
  expect([...paths].filter((each) => each.includes('chat'))).toEqual([]);
  expect(said.calls.filter((call) => call.method === 'GET' && call.path.includes('/system'))).toEqual([]);
});

test('documents are in memory only: without the relay a new start says so', async () => {
  expect((await bo.collections.shifts.list()).length).toBeGreaterThan(0);
  await bo.close();
  await expect(bo.collections.shifts.list()).rejects.toMatchObject({ code: 'closed' });
  await expect(bo.collections.pushToken.clear()).rejects.toMatchObject({ code: 'closed' });
  const offline: Ports = { ...nodePorts, fetch: () => Promise.reject(new TypeError('no network')) };
  bo = await connect({ definition, ports: offline, store: boStore });
  await expect(bo.collections.shifts.list()).rejects.toMatchObject({ code: 'offline' });
  await expect(bo.collections.shifts.get('fri')).rejects.toMatchObject({ code: 'offline' });
  expect(bo.collections.shifts.shown()).toBeNull();
  await expect(bo.collections.pushToken.put({ token: 't' })).rejects.toMatchObject({ code: 'offline' });
});
