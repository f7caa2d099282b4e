import { createOrganisation, DEFAULT_POLICY, memoryDeviceStore, type Client } from '@keytide/client';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { leaseChecks } from '@keytide/testkit/journal';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { leapingClock } from '../stories/leaping-clock.ts';
import { launchChromium } from './chromium.ts';
import { deviceDefinition as definition } from './device-definition.ts';
import { serveDevicePage, type DeviceSite, type DeviceTab } from './device-pages.ts';

const PATIENCE = { timeout: 30_000, interval: 20 };
const DAY_MS = 86_400_000;
const LEASE_DAYS = 7;
const PIN = '284913';

const clock = leapingClock(Date.now());
let browser: Browser;
let site: DeviceSite;
let relay: Relay;
let ada: Client<typeof definition>;
let context: BrowserContext;
beforeAll(async () => {
  browser = await launchChromium();
  site = await serveDevicePage();
  const origins = [site.origin];
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, clock, origins });
  ada = await createOrganisation({
    ...{ definition, ports: clock.ports(), store: memoryDeviceStore() },
    ...{ relayUrl: relay.url, handle: 'ada' },
    policy: { ...DEFAULT_POLICY, leaseSeconds: LEASE_DAYS * 86_400 },
  });
});
afterAll(async () => {
  await browser?.close();
  await ada?.close();
  await site?.close();
  await relay?.close();
});
beforeEach(async () => {
  context = await browser.newContext();
});
afterEach(() => context.close());

/** A tab at the relay's time, whose store is there, under the PIN. */
async function openTab(): Promise<DeviceTab> {
  const tab = await site.open(context);
  await tab.call.leap(clock.now() - Date.now());
  return tab;
}

/** Somebody new, whose vault has come to need its share. */
async function newDevice(): Promise<DeviceTab> {
  const tab = await openTab();
  expect(await tab.call.openStore('app', false, PIN)).toBeNull();
  expect(await tab.call.join(await ada.invite())).toBeNull();
  await expect.poll(() => tab.call.needsShare(), PATIENCE).toBe(true);
  return tab;
}

/** Whether a store opens: with which code not. It is closed again. */
async function opens({ call }: DeviceTab, name: string, pin = PIN): Promise<string> {
  const code = await call.openStore(name, false, pin);
  if (code === null) await call.closeStore();
  return code ?? 'opens';
}

test('what a store with an unlock lease owes, in headless Chromium', async () => {
  const { call } = await openTab();
  const report = await call.runLeaseChecks();
  expect(report.failed).toEqual([]);
  expect(report.passed).toEqual(leaseChecks.map(({ name }) => name));
});

test('a copy of the profile opens with the relay alone, each wrong PIN at it is counted, and a revocation ends it', async () => {
  const tab = await newDevice();
  const { call } = tab;
  const device = await call.device();
  await call.close();
  await call.copyStore('app', 'copy');
  await context.setOffline(true);
  for (const name of ['app', 'copy']) expect(await opens(tab, name)).toBe('offline');
  await context.setOffline(false);
  expect(await opens(tab, 'copy')).toBe('opens');
  for (const guess of ['000000', '111111']) expect(await opens(tab, 'copy', guess)).toBe('wrong-passphrase');
  expect(await opens(tab, 'app')).toBe('opens');
  expect(await ada.unlockAttempts()).toContainEqual({ device, wrong: 2 });
  await ada.revokeDevice(device);
  for (const name of ['app', 'copy']) expect(await opens(tab, name)).toBe('lease-over');
});

test('a page that is open renews; one that hears nothing for the lease locks itself, and opens no more', async () => {
  const tab = await newDevice();
  const { page, call } = tab;
  const leap = async (days: number): Promise<void> => {
    clock.leap(days * DAY_MS);
    await call.leap(days * DAY_MS);
  };
  await ada.collections.chat.append({ text: 'the way is clear' });
  await expect.poll(() => call.texts(), PATIENCE).toContain('the way is clear');
  for (let round = 0; round < 2; round += 1) {
    const renewed = page.waitForResponse((response) => {
      return response.url().endsWith('/unlock-share/renew') && response.status() === 200;
    }, PATIENCE);
    await leap(5);
    await renewed;
  }
  expect(await call.state()).not.toBe('locked');
  await context.setOffline(true);
  await leap(LEASE_DAYS);
  await expect.poll(() => call.state(), PATIENCE).toBe('locked');
  expect(await call.texts()).toEqual([]);
  expect(await call.say('hello')).toBe('locked');
  expect(await opens(tab, 'app')).toBe('offline');
  await context.setOffline(false);
  expect(await opens(tab, 'app')).toBe('lease-over');
});

test('after a wipe there is nothing left of ticket, vault and journals, and a copy from before opens no more', async () => {
  const tab = await newDevice();
  const { call } = tab;
  await call.copyStore('app', 'copy');
  expect(await call.keptKeys('copy')).toContainEqual(['!unlock', 0]);
  await ada.wipe({ of: 'device', device: await call.device() });
  await expect.poll(() => call.state(), PATIENCE).toBe('wiped');
  // Rows of the mark, and what the last flush left: no bytes of anything else.
  const kept = await call.keptKeys('app');
  expect(kept).toEqual([
    ['!wiped', -1],
    ['!wiped', 0],
    ['!wiped', 1],
  ]);
  expect(await opens(tab, 'copy')).toBe('lease-over');
  await context.setOffline(true);
  expect(await opens(tab, 'app', 'another')).toBe('opens');
});

test.each(['before the relay has the share', 'before the vault needs it'])(
  'a page that ends %s leaves a vault that opens without the relay, and gets its share later',
  async (when) => {
    const [tab, { call }] = [await openTab(), await openTab()];
    let reached: () => void = () => {};
    const isReached = new Promise<void>((resolve) => (reached = resolve));
    await tab.page.route('**/unlock-share', async (route) => {
      if (when === 'before the vault needs it') await route.fetch();
      reached();
    });
    expect(await tab.call.openStore('app', false, PIN)).toBeNull();
    expect(await tab.call.join(await ada.invite())).toBeNull();
    await isReached;
    await tab.page.close({ runBeforeUnload: false });

    expect(await call.keptKeys('app')).toContainEqual(['!unlock', 0]);
    await context.setOffline(true);
    expect(await call.openStore('app', true, PIN)).toBeNull();
    await context.setOffline(false);
    expect(await call.needsShare()).toBe(false);
    expect(await call.connect()).toBeNull();
    await expect.poll(() => call.needsShare(), PATIENCE).toBe(true);
    expect(await call.close()).toBeNull();
    expect(await call.openStore('app', false, PIN)).toBeNull();
  },
);
