import {
  connect,
  createOrganisation,
  DEFAULT_POLICY,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { nativeClientPorts, openNativeDeviceStore } from '@keytide/client/react-native';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { eraseNativeKeyStore } from '@keytide/crypto-core/react-native';
import { memoryDatabase } from '@keytide/testkit';
import { memoryNativePorts } from '@keytide/testkit/key-store';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { memoryRows } from '../../packages/client/test/memory-rows.ts';
import { leapingClock } from '../stories/leaping-clock.ts';
import { crashing, type Crash } from '../stories/unlock-crashes.ts';

const DAY_MS = 86_400_000;
const LEASE_DAYS = 7;
const PATIENCE = { timeout: 20_000 };
const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

const clock = leapingClock(Date.now());
let isOffline = false;
const ports: Ports = {
  ...nativeClientPorts(random),
  clock: clock.ports().clock,
  fetch: (input, init) =>
    isOffline ? Promise.reject(new TypeError('no network')) : globalThis.fetch(input, init),
  WebSocket: class extends WebSocket {
    constructor(url: string | URL) {
      super(isOffline ? 'ws://127.0.0.1:9/' : url);
    }
  },
};
let relay: Relay;
let ada: Device;
const open = new Set<Device>();

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, clock });
  const policy = { ...DEFAULT_POLICY, leaseSeconds: LEASE_DAYS * 86_400 };
  const founding = { definition, ports: clock.ports(), store: memoryDeviceStore(), policy };
  ada = await createOrganisation({ ...founding, relayUrl: relay.url, handle: 'ada' });
});
afterEach(async () => {
  isOffline = false;
  for (const client of open) await client.close();
  open.clear();
});
afterAll(async () => {
  await ada?.close();
  await relay?.close();
});

/** What a phone keeps, on which the app can be started again and again. */
function phone() {
  const rows = memoryRows();
  const storage = { items: new Map<string, Uint8Array>(), blobs: new Map<string, Uint8Array>() };
  const store = (): Promise<DeviceStore> =>
    openNativeDeviceStore(
      { ...memoryNativePorts({ primitives, random }, storage), rows },
      { name: 'app', ports },
    );
  const opens = async (): Promise<string> => {
    try {
      await (await store()).close();
      return 'opens';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  return { rows, storage, store, opens };
}

/** Somebody new on it, whose vault has come to need its share. */
async function enter(store: DeviceStore, on = ports): Promise<Device> {
  const client = await join({ definition, ports: on, store, link: await ada.invite(), handle: 'bo' });
  open.add(client);
  return client;
}
const needsShare = (store: DeviceStore) =>
  expect.poll(() => store.lease?.vault.needsUnlockShare, PATIENCE).toBe(true);

test('a phone needs its relay to start, and starts no more once it is revoked', async () => {
  const { store, opens } = phone();
  const opened = await store();
  const bo = await enter(opened);
  await needsShare(opened);
  await bo.close();
  isOffline = true;
  expect(await opens()).toBe('offline');
  isOffline = false;
  const again = await connect({ definition, ports, store: await store() });
  open.add(again);
  await again.online();
  await again.close();
  await ada.revokeDevice(bo.device);
  expect(await opens()).toBe('lease-over');
});

test('a phone that hears nothing for the lease locks itself and starts no more', async () => {
  const { store, opens } = phone();
  const opened = await store();
  const bo = await enter(opened);
  await needsShare(opened);
  isOffline = true;
  clock.leap(LEASE_DAYS * DAY_MS);
  await expect.poll(() => bo.state.kind, PATIENCE).toBe('locked');
  expect(bo.collections.chat.read()).toEqual([]);
  await expect(bo.collections.chat.append({ text: 'hello' })).rejects.toMatchObject({ code: 'locked' });
  isOffline = false;
  expect(await opens()).toBe('lease-over');
});

test('a phone that nothing opens any more starts as a new device once its vault is erased', async () => {
  const { rows, storage, store, opens } = phone();
  const opened = await store();
  const bo = await enter(opened);
  await needsShare(opened);
  await bo.collections.chat.append({ text: 'sent' });
  bo.pause();
  await bo.collections.chat.append({ text: 'never sent' });
  await bo.close();
  await ada.revokeDevice(bo.device);
  expect(await opens()).toBe('lease-over');
  expect(await rows.count('outbox')).toBeGreaterThan(0);
  await eraseNativeKeyStore(memoryNativePorts({ primitives, random }, storage), 'app');
  const again = await enter(await store());
  await again.collections.chat.append({ text: 'here again' });
  await expect.poll(() => again.waiting, PATIENCE).toBe(0);
  const heard = ada.collections.chat.read().map(({ body }) => body.text);
  expect(heard).not.toContain('never sent');
});

test('a phone that was wiped keeps neither ticket nor vault nor journals, and starts as a new one', async () => {
  const { rows, storage, store } = phone();
  const opened = await store();
  const bo = await enter(opened);
  await needsShare(opened);
  expect(await rows.count('!unlock')).toBeGreaterThan(0);
  await ada.wipe({ of: 'device', device: bo.device });
  await expect.poll(() => bo.state.kind, PATIENCE).toBe('wiped');
  expect([storage.items.size, storage.blobs.size]).toEqual([0, 0]);
  const lists = ['!unlock', 'membership', 'group', 'outbox'];
  expect(await Promise.all(lists.map((list) => rows.count(list)))).toEqual([0, 0, 0, 0]);
  isOffline = true;
  expect(await (await store()).keys.names('')).toEqual([]);
});

test.each(
  ['before', 'after'].flatMap((when) => [0, 1, 2, 3].map((at) => [when as Crash['when'], at] as const)),
)('a crash %s step %i of giving a phone its share leaves one that starts', async (when, at) => {
  const { store, opens } = phone();
  const { store: dying, ports: dead, seen } = crashing(await store(), ports, { at, when });
  const client = await enter(dying, dead);
  await expect.poll(() => seen.isDead, PATIENCE).toBe(true);
  await client.close();
  expect(await opens()).toBe('opens');
  const opened = await store();
  const again = await connect({ definition, ports, store: opened });
  open.add(again);
  await again.online();
  await needsShare(opened);
  await expect.poll(async () => (await opened.lease?.ticket.read())?.length, PATIENCE).toBeLessThan(110);
  await again.close();
  expect(await opens()).toBe('opens');
});
