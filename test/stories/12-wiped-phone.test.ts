import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import {
  connect,
  createOrganisation,
  join,
  memoryDeviceStore,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { definition, type Device } from './chat-people.ts';

const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 };
const folders: string[] = [];
const open: Device[] = [];
let relay: Relay;
let ada: Device;
let bo: Device;
let home: string;

async function newHome(): Promise<string> {
  const folder = await mkdtemp(path(tmpdir(), 'keytide-story-'));
  folders.push(folder);
  return folder;
}

const storeIn = (folder: string): Promise<DeviceStore> =>
  openFileDeviceStore({ home: folder, passphrase: '123456', kdf });

async function joined(store: DeviceStore, link: string, handle?: string): Promise<Device> {
  const named = handle === undefined ? {} : { handle };
  const client = await join({ definition, ports: nodePorts, store, link, ...named });
  open.push(client);
  return client;
}

async function shut(client: Device): Promise<void> {
  open.splice(open.indexOf(client), 1);
  await client.close();
}

const texts = (device: Device): string[] => device.collections.chat.read().map(({ body }) => body.text);
const becomes = (device: Device, kind: string) =>
  expect.poll(() => device.state.kind, { timeout: 20_000 }).toBe(kind);

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  const store = memoryDeviceStore();
  ada = await createOrganisation({ definition, ports: nodePorts, store, relayUrl: relay.url, handle: 'ada' });
  home = await newHome();
  bo = await joined(await storeIn(home), await ada.invite(), 'bo');
  await ada.collections.chat.append({ text: 'the convoy leaves at six' });
});

afterAll(async () => {
  for (const client of [...open, ada]) await client?.close();
  await relay?.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

test('bo’s phone is stolen, and ada orders it to be wiped: it destroys everything that it held', async () => {
  await expect.poll(() => texts(bo), { timeout: 20_000 }).toEqual(['the convoy leaves at six']);
  expect(await readdir(home)).toContain('vault');
  await ada.wipe({ of: 'device', device: bo.device });
  await becomes(bo, 'wiped');
  expect(await readdir(home)).toEqual(['wiped']);
  expect(texts(bo)).toEqual([]);
  await expect(bo.collections.chat.append({ text: 'anybody there' })).rejects.toMatchObject({
    code: 'wiped',
  });
});

test('it says so, signed, and ada reads that; bo may not', async () => {
  await expect.poll(async () => (await ada.receipts()).length, { timeout: 20_000 }).toBe(1);
  const [receipt] = await ada.receipts();
  expect(receipt).toMatchObject({ device: bo.device, member: bo.member });
  expect(ada.devices().find(({ id }) => id === bo.device)?.state).toBe('wiped');
});

test('whoever opens the phone finds nothing, and is told why', async () => {
  await shut(bo);
  const store = await storeIn(home);
  await expect(connect({ definition, ports: nodePorts, store })).rejects.toMatchObject({ code: 'wiped' });
  await store.close();
});

test('bo is let in again with the same phone, as a new device of the same member', async () => {
  const again = await joined(await storeIn(home), await ada.inviteDevice({ member: bo.member }));
  expect([again.member, again.device === bo.device]).toEqual([bo.member, false]);
  await ada.collections.chat.append({ text: 'welcome back' });
  await expect.poll(() => texts(again), { timeout: 20_000 }).toEqual(['welcome back']);
});

test('a crash in the middle of destroying is finished when the phone is started, before anything else', async () => {
  const folder = await newHome();
  const phone = await joined(await storeIn(folder), await ada.invite(), 'cy');
  await shut(phone);
  const journals = (await readdir(folder)).filter((name) => name !== 'vault');
  expect(journals.length).toBeGreaterThan(2);
  // The vault is gone and the rest is not: as after a crash that came right then.
  await writeFile(path(folder, 'wiped'), 'destroying');
  await rm(path(folder, 'vault'));
  const store = await storeIn(folder);
  expect((await readdir(folder)).filter((name) => journals.includes(name))).toEqual([]);
  await expect(connect({ definition, ports: nodePorts, store })).rejects.toMatchObject({ code: 'wiped' });
  await store.close();
  // What came later is not destroyed by the note of before.
  const again = await joined(await storeIn(folder), await ada.invite(), 'cy');
  await shut(again);
  const client = await connect({ definition, ports: nodePorts, store: await storeIn(folder) });
  expect(client.device).toBe(again.device);
  await client.close();
});

test('an order that was read and not carried out is carried out at the next start, and said', async () => {
  const folder = await newHome();
  const store = await storeIn(folder);
  const failing: DeviceStore = { ...store, destroy: () => Promise.reject(new Error('the process ended')) };
  const phone = await joined(failing, await ada.invite(), 'dee');
  await ada.wipe({ of: 'member', member: phone.member });
  await becomes(phone, 'stopped');
  expect(phone.state).toMatchObject({ error: { code: 'store-damaged' } });
  await shut(phone);
  expect(await readdir(folder)).toContain('vault');
  const starting = connect({ definition, ports: nodePorts, store: await storeIn(folder) });
  await expect(starting).rejects.toMatchObject({ code: 'wiped' });
  expect(await readdir(folder)).toEqual(['wiped']);
  expect((await ada.receipts()).map(({ device }) => device)).toContain(phone.device);
});

test('without the network to say so, it destroys all the same', async () => {
  const folder = await newHome();
  let isCut = false;
  const ports: Ports = {
    ...nodePorts,
    fetch: async (input, init) => {
      if (isCut || String(input).includes('/wipe-receipts')) throw new TypeError('no network');
      return await fetch(input, init);
    },
  };
  const store = await storeIn(folder);
  const phone = await join({ definition, ports, store, link: await ada.invite(), handle: 'eve' });
  open.push(phone);
  await ada.wipe({ of: 'device', device: phone.device });
  await becomes(phone, 'wiped');
  isCut = true;
  expect(await readdir(folder)).toEqual(['wiped']);
  expect((await ada.receipts()).map(({ device }) => device)).not.toContain(phone.device);
});

test('everyone but admins: each of their phones destroys what it holds, the admin’s does not', async () => {
  const phones = [await newHome(), await newHome()];
  const clients = await Promise.all(
    phones.map(async (folder, i) => joined(await storeIn(folder), await ada.invite(), `guest ${i}`)),
  );
  await ada.wipe({ of: 'everyone-but-admins' });
  for (const client of clients) await becomes(client, 'wiped');
  for (const folder of phones) expect(await readdir(folder)).toEqual(['wiped']);
  await ada.collections.chat.append({ text: 'start again' });
  await expect.poll(() => texts(ada).at(-1), { timeout: 20_000 }).toBe('start again');
});
