import { createOrganisation, join, memoryDeviceStore, type Client } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { journalChecks } from '@keytide/testkit/journal';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from './chromium.ts';
import { deviceDefinition as definition } from './device-definition.ts';
import { serveDevicePage, type DeviceSite, type DeviceTab } from './device-pages.ts';

const PATIENCE = { timeout: 30_000, interval: 20 };

let browser: Browser;
let site: DeviceSite;
let relay: Relay;
let context: BrowserContext;
const devices: Client<typeof definition>[] = [];
beforeAll(async () => {
  browser = await launchChromium();
  site = await serveDevicePage();
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, origins: [site.origin] });
});
afterAll(async () => {
  await browser?.close();
  for (const device of devices) await device.close();
  await site?.close();
  await relay?.close();
});
beforeEach(async () => {
  context = await browser.newContext();
});
afterEach(() => context.close());

const newTab = (): Promise<DeviceTab> => site.open(context);

/** A person in Node, and the invite of one more. */
async function ada(): Promise<Client<typeof definition>> {
  const store = memoryDeviceStore();
  const made = await createOrganisation({
    definition,
    ports: nodePorts,
    store,
    relayUrl: relay.url,
    handle: 'ada',
  });
  devices.push(made);
  await made.online();
  return made;
}
const textsOf = (device: Client<typeof definition>): string[] =>
  device.collections.chat.read().map(({ body }) => body.text);

test('the journals of a browser in headless Chromium', async () => {
  const { call } = await newTab();
  const report = await call.runJournalChecks();
  expect(report.failed).toEqual([]);
  expect(report.passed).toEqual(journalChecks.map(({ name }) => name));
});

test('a whole client: an organisation is made, somebody joins, both talk, and the tab starts anew', async () => {
  const first = await newTab();
  expect(await first.call.openStore('app', false)).toBeNull();
  expect(await first.call.create(relay.url)).toBeNull();
  const link = await first.call.invite();
  const bo = await join({ definition, ports: nodePorts, store: memoryDeviceStore(), link, handle: 'bo' });
  devices.push(bo);
  expect(await first.call.say('from a browser')).toBeNull();
  await expect.poll(() => textsOf(bo), PATIENCE).toEqual(['from a browser']);
  await bo.collections.chat.append({ text: 'from Node' });
  await expect.poll(() => first.call.texts(), PATIENCE).toEqual(['from a browser', 'from Node']);
  await first.page.close();

  await bo.collections.chat.append({ text: 'while the tab is closed' });
  const second = await newTab();
  expect(await second.call.openStore('app', true)).toBeNull();
  expect(await second.call.connect()).toBeNull();
  const all = ['from a browser', 'from Node', 'while the tab is closed'];
  await expect.poll(() => second.call.texts(), PATIENCE).toEqual(all);
  expect(await second.call.say('back again')).toBeNull();
  expect(await second.call.settled()).toBeNull();
  await expect.poll(() => textsOf(bo), PATIENCE).toEqual([...all, 'back again']);
});

test('a relay that was not told of the page cannot be used from it', async () => {
  const strict = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  try {
    const { call } = await newTab();
    await call.openStore('app', false);
    expect(await call.create(strict.url)).toBe('offline');
  } finally {
    await strict.close();
  }
});

describe('a store that one tab has open', () => {
  test('is refused to a second one, and given to one that waits when the first is closed', async () => {
    const [a, b, c] = [await newTab(), await newTab(), await newTab()];
    expect(await a.call.openStore('app', false)).toBeNull();
    expect(await b.call.openStore('app', false)).toBe('store-in-use');
    expect(await b.call.openStore('another', false)).toBeNull();
    let isGiven = false;
    const waiting = c.call.openStore('app', true).then((code) => {
      isGiven = true;
      return code;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isGiven).toBe(false);
    expect(await a.call.closeStore()).toBeNull();
    expect(await waiting).toBeNull();
    expect(await a.call.openStore('app', false)).toBe('store-in-use');
  });

  test('is free when the tab ends, however it does', async () => {
    const [a, b] = [await newTab(), await newTab()];
    await a.call.openStore('app', false);
    const waiting = b.call.openStore('app', true);
    await a.page.close({ runBeforeUnload: false });
    expect(await waiting).toBeNull();
  });
});

test('a tab closed in the middle of writing leaves whole records, and all that were flushed', async () => {
  let first = 1;
  for (let round = 0; round < 5; round += 1) {
    const { page, call } = await newTab();
    await call.openStore('app', true);
    let last = 0;
    let enough: () => void = () => {};
    const several = new Promise<void>((resolve) => (enough = resolve));
    await page.exposeFunction('acknowledge', (count: number) => {
      last = count;
      if (count >= first + 6) enough();
    });
    void call.appendForever(first).catch(() => null);
    await several;
    // Rounds end at other moments of a writing.
    await new Promise((resolve) => setTimeout(resolve, round * 4));
    await page.close({ runBeforeUnload: false });

    const reader = await newTab();
    await reader.call.openStore('app', true);
    const journal = await reader.call.journal();
    await reader.page.close();
    const counts = journal.filter((_, i) => i % 2 === 0);
    expect(counts).toEqual(counts.map((_, i) => i + 1));
    expect(journal).toHaveLength(2 * counts.length);
    expect(counts.length).toBeGreaterThanOrEqual(last);
    first = counts.length + 1;
  }
});

test('a store that is destroyed leaves nothing, and a new one can be made', async () => {
  const { call } = await newTab();
  await call.openStore('app', false);
  await call.create(relay.url);
  await call.say('soon gone');
  await call.settled();
  expect(await call.destroy()).toBeNull();
  const { call: next } = await newTab();
  expect(await next.openStore('app', false)).toBeNull();
  expect(await next.wasDestroyed()).toBe(true);
  expect(await next.journal()).toEqual([]);
  expect(await next.connect()).toBe('wiped');
});

test('a store is destroyed also where the browser has lost the connection to its vault', async () => {
  const { call } = await newTab();
  await call.openStore('app', false);
  await call.create(relay.url);
  await call.settled();
  expect(await call.destroyWithoutVault('app')).toEqual([null, true]);
  expect(await call.openStore('app', false)).toBeNull();
  expect(await call.wasDestroyed()).toBe(true);
  expect(await call.journal()).toEqual([]);
});

test('a store whose destruction a crash cut off is destroyed when it is opened', async () => {
  const { call } = await newTab();
  await call.openStore('app', false);
  await call.create(relay.url);
  expect(await call.wasDestroyed()).toBe(false);
  await call.close();
  await call.crashDestroying('app');
  const { call: next } = await newTab();
  expect(await next.openStore('app', false)).toBeNull();
  expect(await next.journal()).toEqual([]);
  expect(await next.connect()).toBe('wiped');
});

test('a store that the browser does not let go of is out of memory all the same', async () => {
  const { call } = await newTab();
  await call.openStore('app', false);
  expect(await call.keyAfterFailedDestroy()).toEqual(['Error: the disk is broken', 'disposed']);
});

describe('React', () => {
  test('shows what arrives, renders what has changed and nothing else, and lets go when it is unmounted', async () => {
    const node = await ada();
    const { call } = await newTab();
    await call.openStore('app', false);
    expect(await call.join(await node.invite())).toBeNull();
    await call.mount();
    await expect
      .poll(() => call.shown(), PATIENCE)
      .toEqual({
        state: 'online',
        log: '',
        north: '',
        records: '',
        record: 'none',
        places: '',
        shifts: '',
        shift: 'none',
        clock: '0',
        inbox: '0',
        members: 'ada,bo',
        unreadable: expect.any(String),
        pair: 'same',
      });

    let before = await call.renders();
    await node.collections.chat.append({ text: 'hello' });
    await expect.poll(async () => (await call.shown())['log'], PATIENCE).toBe('hello');
    let after = await call.renders();
    expect((after['log'] as number) - (before['log'] as number)).toBe(1);
    expect((after['pair'] as number) - (before['pair'] as number)).toBe(1);
    for (const name of ['north', 'records', 'record', 'members']) expect(after[name]).toBe(before[name]);

    const [one, two] = await node.collections.requests.createMany([{ title: 'one' }, { title: 'two' }]);
    await expect.poll(async () => (await call.shown())['records']?.length, PATIENCE).toBe(7);
    await call.select(one as string);
    await expect.poll(async () => (await call.shown())['record'], PATIENCE).toBe('one');
    before = await call.renders();
    await node.collections.requests.edit(two as string, { title: 'changed' });
    await expect.poll(async () => (await call.shown())['records'], PATIENCE).toContain('changed');
    after = await call.renders();
    expect(after['record']).toBe(before['record']);
    expect([after['log'], after['north'], after['members']]).toEqual([
      before['log'],
      before['north'],
      before['members'],
    ]);
    await node.collections.requests.edit(one as string, { title: 'new title' });
    await expect.poll(async () => (await call.shown())['record'], PATIENCE).toBe('new title');

    await node.collections.chat.append({ text: 'in the north' }, { room: 'north' });
    await expect.poll(async () => (await call.shown())['north'], PATIENCE).toBe('in the north');
    expect((await call.shown())['pair']).toBe('same');

    before = await call.renders();
    await node.collections.places.publish({ at: 'the mill' });
    await expect.poll(async () => (await call.shown())['places'], PATIENCE).toBe('the mill');
    after = await call.renders();
    for (const name of ['log', 'records', 'members']) expect(after[name]).toBe(before[name]);

    await node.collections.shifts.put('mon', { place: 'the depot' });
    await expect.poll(async () => (await call.shown())['shift'], PATIENCE).toBe('the depot');
    before = await call.renders();
    await node.collections.shifts.put('tue', { place: 'the hall' });
    await expect.poll(async () => (await call.shown())['shifts'], PATIENCE).toBe('the depot,the hall');
    after = await call.renders();
    for (const name of ['shift', 'log', 'records']) expect(after[name]).toBe(before[name]);

    // The tab is an admin's from here on, and somebody has a new phone, with a later version of the app.
    const [bo] = node.members().filter(({ handle }) => handle === 'bo');
    await node.setRole((bo as NonNullable<typeof bo>).id, 'admin');
    const later = { ...definition, notes: definition.chat };
    const entered = { definition: later, ports: nodePorts, store: memoryDeviceStore() };
    const phone = await join({ ...entered, link: await node.inviteDevice() });
    try {
      await phone.online();
      await phone.access.request();
      await expect.poll(async () => (await call.shown())['inbox'], PATIENCE).toBe('1');
      await expect.poll(() => node.access.inbox.length, PATIENCE).toBe(1);
      await node.access.approve(node.access.inbox[0]?.id as string);
      await expect.poll(async () => (await call.shown())['inbox'], PATIENCE).toBe('0');

      const unreadable = Number((await call.shown())['unreadable']);
      await phone.collections.notes.append({ text: 'of no collection here' });
      await expect
        .poll(async () => Number((await call.shown())['unreadable']), PATIENCE)
        .toBe(unreadable + 1);
    } finally {
      await phone.close();
    }

    before = await call.renders();
    expect(await call.unmount()).toBe(0);
    await node.collections.chat.append({ text: 'to nobody' });
    await expect.poll(() => call.texts(), PATIENCE).toContain('to nobody');
    expect(await call.renders()).toEqual(before);
  });
});
