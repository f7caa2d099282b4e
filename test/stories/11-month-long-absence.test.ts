import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
} from '@keytide/client';
import { startRelay, type Relay } from '@keytide/server-relay';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { leapingClock } from './leaping-clock.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

const DAY_MS = 86_400_000;
const PATIENCE = { timeout: 40_000 };
const policy = {
  blockSeconds: 86_400,
  retentionSeconds: 7 * 86_400,
  exportSeconds: 90 * 86_400,
  silenceSeconds: 6 * 86_400,
};
const clock = leapingClock(1_767_225_600_000 + 600_000);
const store: DeviceStore = { ...memoryDeviceStore(), close: async () => {} };

let relay: Relay;
let ada: Device;
let bo: Device;
let adaTimes = 0;

const textsOf = (one: Device): string[] => one.collections.chat.read().map(({ body }) => body.text);
const hears = (one: Device, text: string) => expect.poll(() => textsOf(one), PATIENCE).toContain(text);
const codeOf = (one: Device): Set<string> => new Set(one.unreadable.map(({ code }) => code));

async function says(one: Device, text: string): Promise<void> {
  await one.collections.chat.append({ text });
  await one.settled();
}

/** Ada sleeps for some days, and wakes up. */
async function days(count: number): Promise<void> {
  const before = adaTimes;
  clock.leap(count * DAY_MS);
  await expect.poll(() => adaTimes > before && ada.state.kind, PATIENCE).toBe('online');
}

beforeAll(async () => {
  relay = await startRelay({ database: { kind: 'memory' }, port: 0, clock, log: () => {} });
  const ports = clock.ports();
  const founder = {
    definition,
    ports,
    store: memoryDeviceStore(),
    relayUrl: relay.url,
    handle: 'ada',
    policy,
  };
  ada = await createOrganisation(founder);
  ada.on('state', ({ kind }) => {
    if (kind === 'online') adaTimes += 1;
  });
  bo = await join({ definition, ports, store, link: await ada.invite(), handle: 'bo' });
});

afterAll(async () => {
  await ada?.close();
  await bo?.close();
  await relay?.close();
});

test('bo goes away for a month, with a phone that holds a week', async () => {
  await says(ada, 'day 0');
  await hears(bo, 'day 0');
  await says(bo, 'see you in a month');
  await hears(ada, 'see you in a month');
  await bo.close();
  for (let day = 3; day <= 30; day += 3) {
    await days(3);
    await says(ada, `day ${day}`);
  }
});

test('back, and before there is any network: everything that was on the phone is over, and gone', async () => {
  expect((await store.keys.names('epoch/')).length).toBeGreaterThan(0);
  bo = await connect({ definition, ports: clock.ports(), store });
  expect(textsOf(bo)).toEqual([]);
  expect(codeOf(bo)).toEqual(new Set(['expired-by-policy']));
  expect(await store.keys.names('epoch/')).toEqual([]);
});

test('it writes at once, and its chain goes on where it was', async () => {
  await bo.online();
  await says(bo, 'I am back');
  await hears(ada, 'I am back');
  expect([ada.missing, codeOf(ada)]).toEqual([[], new Set()]);
});

test('what was written in the last week comes by a request that nobody has to make, and nothing older than X', async () => {
  for (const day of [24, 27, 30]) await hears(bo, `day ${day}`);
  for (const day of [0, 3, 21]) expect(textsOf(bo)).not.toContain(`day ${day}`);
  expect(codeOf(bo)).toEqual(new Set(['expired-by-policy']));
  const own = textsOf(bo).filter((text) => text === 'I am back');
  expect(own).toEqual(['I am back']);
});
