import { join, memoryDeviceStore, type Client } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../runtimes/chromium.ts';
import { deviceDefinition as definition } from '../runtimes/device-definition.ts';
import { serveDevicePage, type DeviceSite } from '../runtimes/device-pages.ts';

const PATIENCE = { timeout: 30_000, interval: 20 };

let browser: Browser;
let site: DeviceSite;
let relay: Relay;
let bo: Client<typeof definition> | null = null;
beforeAll(async () => {
  browser = await launchChromium();
  site = await serveDevicePage();
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, origins: [site.origin] });
});
afterAll(async () => {
  await browser?.close();
  await bo?.close();
  await site?.close();
  await relay?.close();
});

test('Ada has the app open in two tabs: one is the device, the other waits and goes on with what is unsent', async () => {
  const context = await browser.newContext();
  const [first, second] = [await site.open(context), await site.open(context)];
  expect(await first.call.openStore('app', false)).toBeNull();
  expect(await first.call.create(relay.url)).toBeNull();
  const link = await first.call.invite();
  bo = await join({ definition, ports: nodePorts, store: memoryDeviceStore(), link, handle: 'bo' });
  await bo.online();
  expect(await first.call.say('from the first tab')).toBeNull();
  expect(await first.call.settled()).toBeNull();

  // The second is told that there is a first, and may wait.
  expect(await second.call.openStore('app', false)).toBe('store-in-use');
  const waiting = second.call.openStore('app', true);

  // The network goes, Ada writes on, and closes the first tab with all of it unsent.
  await context.setOffline(true);
  const unsent = ['one', 'two', 'three'].map((n) => `written without a network: ${n}`);
  await first.call.pause();
  for (const text of unsent) expect(await first.call.say(text)).toBeNull();
  expect(await first.call.waiting()).toBe(3);
  await first.page.close({ runBeforeUnload: false });

  expect(await waiting).toBeNull();
  expect(await second.call.connect()).toBeNull();
  expect(await second.call.texts()).toEqual(['from the first tab']);
  expect(await second.call.waiting()).toBe(3);
  await context.setOffline(false);
  expect(await second.call.settled()).toBeNull();
  const all = ['from the first tab', ...unsent];
  await expect.poll(() => bo?.collections.chat.read().map(({ body }) => body.text), PATIENCE).toEqual(all);
  await expect.poll(() => second.call.texts(), PATIENCE).toEqual(all);
});
