import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connect,
  createOrganisation,
  defineOrganisation,
  join as joinOrganisation,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
} from '@keytide/client';
import { openFileDeviceStore } from '@keytide/client/node';
import { asciiBytes } from '@keytide/crypto-core';
import { startRelay, type Relay } from '@keytide/server-relay';
import { type HostileRelay, hostileRelay, memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { findHidden } from '../stories/hidden-forms.ts';
import { leapingClock } from '../stories/leaping-clock.ts';
import { announcement, diskImage, openImage, type Opened, type RelayHoldings } from './disk-image.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

const HOUR_MS = 3_600_000;
const X_MS = 6 * HOUR_MS;
const PATIENCE = { timeout: 30_000 };
const PASSPHRASE = 'the thief has it';
const clock = leapingClock(1_767_225_600_000 + 600_000);
const policy = {
  blockSeconds: 3600,
  retentionSeconds: X_MS / 1000,
  exportSeconds: 24 * 3600,
  silenceSeconds: 12 * 3600,
};

let relay: Relay;
let hostile: HostileRelay;
let ada: Device;
let bo: Device;
let home: string;
const holdings = { announced: [] as RelayHoldings['announced'][number][], envelopes: [] as Uint8Array[] };
const images: string[] = [];

const boStore = (): Promise<DeviceStore> =>
  openFileDeviceStore({ home, passphrase: PASSPHRASE, kdf: { memoryKiB: 8, passes: 1, parallelism: 1 } });
const ports = clock.ports();
const textsOf = (one: Device): string[] => one.collections.chat.read().map(({ body }) => body.text);

async function says(one: Device, text: string): Promise<void> {
  await one.collections.chat.append({ text });
  await one.settled();
}

const hears = (one: Device, text: string) => expect.poll(() => textsOf(one), PATIENCE).toContain(text);

/** Everybody sleeps for an hour, and wakes up. */
async function hours(count: number, devices: readonly Device[]): Promise<void> {
  let online = 0;
  const ends = devices.map((one) =>
    one.on('state', ({ kind }) => {
      if (kind === 'online') online += 1;
    }),
  );
  clock.leap(count * HOUR_MS);
  await expect.poll(() => online, PATIENCE).toBeGreaterThanOrEqual(devices.length);
  for (const end of ends) end();
}

async function image(): Promise<string> {
  const made = await diskImage(home);
  images.push(made);
  return made;
}

const open = (from: string): Promise<Opened> => openImage(from, PASSPHRASE, bo.device, holdings);
const endOf = (epoch: number): number =>
  holdings.announced.find(({ statement }) => statement.epoch === epoch)?.statement.blockEndMs ?? 0;
/** Of what an attacker opened, the epochs that were over by then. */
const over = ({ epochs }: Opened, atMs: number) => epochs.filter((epoch) => endOf(epoch) <= atMs - X_MS);
const saysAny = ({ payloads }: Opened, text: string) =>
  payloads.some((payload) => findHidden(payload, new Map([['text', asciiBytes(text)]])).length > 0);

beforeAll(async () => {
  home = join(await mkdtemp(join(tmpdir(), 'keytide-bo-')), 'bo');
  hostile = await hostileRelay({
    target: async (publicUrl) => {
      relay = await startRelay({ database: memoryDatabase(), port: 0, publicUrl, clock, log: () => {} });
      return relay.url;
    },
  });
  // What the relay is given, it has: no hour of which the thief has its help is left out.
  hostile.attack({
    toRelay(frame) {
      if (frame.type === 'announce') holdings.announced.push(announcement(frame));
      if (frame.type === 'append') holdings.envelopes.push(...frame.items.map(({ envelope }) => envelope));
      return [frame];
    },
  });
  const adas = { definition, ports, store: memoryDeviceStore() };
  ada = await createOrganisation({ ...adas, relayUrl: hostile.url, handle: 'ada', policy });
  const link = await ada.invite();
  bo = await joinOrganisation({ definition, ports, store: await boStore(), link, handle: 'bo' });
});

afterAll(async () => {
  await ada?.close();
  await bo?.close();
  await hostile?.close();
  await relay?.close();
  for (const made of images) await rm(made, { recursive: true, force: true });
  await rm(join(home, '..'), { recursive: true, force: true });
});

test('an image from before opens what the device could read then: no deletion reaches a copy', async () => {
  await says(ada, 'hour one of the story');
  await hears(bo, 'hour one of the story');
  await says(bo, 'bo wrote this himself');
  const before = await image();
  for (let hour = 2; hour <= 9; hour += 1) {
    await hours(1, [ada, bo]);
    await says(hour % 3 === 0 ? bo : ada, `the story goes on in hour ${hour}`);
    await hears(hour % 3 === 0 ? ada : bo, `the story goes on in hour ${hour}`);
  }
  const opened = await open(before);
  expect([saysAny(opened, 'hour one of the story'), saysAny(opened, 'bo wrote this himself')]).toEqual([
    true,
    true,
  ]);
  // And it stays so: what limits it is the unlock lease, not the retention window.
  expect(over(opened, clock.now())).not.toEqual([]);
  expect(saysAny(opened, 'in hour 9')).toBe(false);
});

test('an image from afterwards, with the passphrase and all that the relay ever had, opens nothing older than X', async () => {
  await expect.poll(() => textsOf(bo), PATIENCE).not.toContain('hour one of the story');
  await expect.poll(async () => over(await open(await image()), clock.now()), PATIENCE).toEqual([]);
  const opened = await open(await image());
  expect(opened.epochs.length).toBeGreaterThanOrEqual(5);
  expect([saysAny(opened, 'hour one of the story'), saysAny(opened, 'bo wrote this himself')]).toEqual([
    false,
    false,
  ]);
  expect(saysAny(opened, 'in hour 9')).toBe(true);
  // What the app shows is what an attacker opens: no more, and no less.
  for (let hour = 2; hour <= 9; hour += 1) {
    const text = `the story goes on in hour ${hour}`;
    expect(saysAny(opened, text), text).toBe(textsOf(bo).includes(text));
  }
  expect(bo.unreadable.every(({ code }) => code === 'expired-by-policy')).toBe(true);
});

test('a device that was off, with boxes that it has not fetched, and wakes without a network: nothing older than X', async () => {
  await bo.close();
  for (let hour = 10; hour <= 14; hour += 1) {
    await hours(1, [ada]);
    await says(ada, `bo is away in hour ${hour}`);
  }
  await hours(1, [ada]);
  const relent = hostile.attack({
    victim: bo.device,
    async call() {
      return { status: 503, body: { code: 'unavailable', message: 'cut off' } };
    },
  });
  const asleep = await open(await image());
  expect(over(asleep, clock.now())).not.toEqual([]);
  bo = await connect({ definition, ports, store: await boStore() });
  expect(over(await open(await image()), clock.now())).toEqual([]);
  relent();
  await bo.online();
  await hears(bo, 'bo is away in hour 14');
  // All of it came late, and goes when everybody else's does.
  for (let step = 0; step < 5; step += 1) await hours(1, [ada, bo]);
  await expect.poll(() => textsOf(bo), PATIENCE).not.toContain('bo is away in hour 12');
  await expect.poll(async () => over(await open(await image()), clock.now()), PATIENCE).toEqual([]);
});

test('who comes back after everything is over writes at once, in its own chain', async () => {
  for (let step = 0; step < 4; step += 1) await hours(2, [ada, bo]);
  await expect.poll(() => textsOf(bo), PATIENCE).toEqual([]);
  await bo.close();
  bo = await connect({ definition, ports, store: await boStore() });
  await bo.online();
  await says(bo, 'the counter goes on');
  await hears(ada, 'the counter goes on');
  // Ada is an admin: of what she read, that alone is over which is older than Y.
  expect(new Set(ada.unreadable.map(({ code }) => code))).toEqual(new Set(['expired-by-policy']));
  expect(ada.missing).toEqual([]);
});
