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

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const PATIENCE = { timeout: 40_000 };
const policy = {
  blockSeconds: 3600,
  retentionSeconds: 6 * 3600,
  exportSeconds: 48 * 3600,
  silenceSeconds: 12 * 3600,
};
const clock = leapingClock(1_767_225_600_000 + 600_000);
const store: DeviceStore = { ...memoryDeviceStore(), close: async () => {} };

let relay: Relay;
let ada: Device;
let bo: Device;
let adaTimes = 0;
/** What bo's clock is wrong by. */
let aheadMs = 0;

const ports = clock.ports();
const bosPorts = clock.ports(() => aheadMs);
const textsOf = (one: Device): string[] => one.collections.chat.read().map(({ body }) => body.text);
const hears = (one: Device, text: string) => expect.poll(() => textsOf(one), PATIENCE).toContain(text);
const codesOf = (one: Device): Set<string> => new Set(one.unreadable.map(({ code }) => code));

async function says(one: Device, text: string): Promise<void> {
  await one.collections.chat.append({ text });
  await one.settled();
}

async function restarts(): Promise<void> {
  await bo.close();
  bo = await connect({ definition, ports: bosPorts, store });
}

/** Ada sleeps for some hours, and wakes up. */
async function hours(count: number): Promise<void> {
  const before = adaTimes;
  clock.leap(count * HOUR_MS);
  await expect.poll(() => adaTimes > before && ada.state.kind, PATIENCE).toBe('online');
}

beforeAll(async () => {
  relay = await startRelay({ database: { kind: 'memory' }, port: 0, clock, log: () => {} });
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
  bo = await join({ definition, ports: bosPorts, store, link: await ada.invite(), handle: 'bo' });
});

afterAll(async () => {
  await ada?.close();
  await bo?.close();
  await relay?.close();
});

test('a clock that is a year ahead: everything is over, what comes too, and nothing can be written', async () => {
  await says(ada, 'before');
  await hears(bo, 'before');
  aheadMs = YEAR_MS;
  await restarts();
  expect([textsOf(bo), codesOf(bo)]).toEqual([[], new Set(['expired-by-policy'])]);
  expect(await store.keys.names('epoch/')).toEqual([]);
  await bo.online();
  await says(ada, 'meanwhile');
  await expect.poll(() => bo.unreadable.length, PATIENCE).toBe(2);
  expect(codesOf(bo)).toEqual(new Set(['expired-by-policy']));
  await expect(bo.collections.chat.append({ text: 'from the future' })).rejects.toMatchObject({
    code: 'not-ready',
  });
});

test('put right, the phone asks the relay what time it is, and has everything back of what is not over', async () => {
  aheadMs = 0;
  clock.leap(60_000);
  await hears(bo, 'meanwhile');
  await hears(bo, 'before');
  expect(bo.unreadable).toEqual([]);
  await expect
    .poll(
      () =>
        says(bo, 'I am of today').then(
          () => true,
          () => false,
        ),
      PATIENCE,
    )
    .toBe(true);
  await hears(ada, 'I am of today');
});

test('a clock that is a year behind keeps nothing: what admins sign says what time it is', async () => {
  aheadMs = -YEAR_MS;
  await restarts();
  await bo.online();
  expect(textsOf(bo)).toContain('before');
  await says(ada, 'for a clock that is slow');
  await hears(bo, 'for a clock that is slow');
  await says(bo, 'I am of last year');
  await hears(ada, 'I am of last year');
  // Seven hours later it is over, an hour after that at the latest an epoch says so. Soon after, bo's sealing keys are
  // over too: a device whose clock is behind publishes none.
  for (let step = 1; step <= 8; step += 1) {
    await hours(1);
    await says(ada, `${step} hours later`);
    await hears(bo, `${step} hours later`);
  }
  await expect.poll(() => textsOf(bo), PATIENCE).not.toContain('before');
});

test('put right, it goes on', async () => {
  aheadMs = 0;
  await restarts();
  await bo.online();
  await expect
    .poll(
      () =>
        says(bo, 'right again').then(
          () => true,
          () => false,
        ),
      PATIENCE,
    )
    .toBe(true);
  await hears(ada, 'right again');
  await says(ada, 'good to hear');
  await hears(bo, 'good to hear');
  expect(textsOf(bo)).not.toContain('before');
});
