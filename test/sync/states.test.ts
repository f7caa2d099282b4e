import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SyncState } from '@keytide/client';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashingStore } from './crashing-store.ts';
import { openStand, texts, type Stand } from './stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

const PATIENCE = { timeout: 20_000 };
/** How often a device with a connection asks for a sign of life. */
const PING_MS = 20_000;

test('who comes back after a while is told how much of how much is done', async () => {
  const ada = await stand.found();
  const store = crashingStore();
  const bo = await stand.admit(ada, 'bo', undefined, store);
  await bo.close();
  for (let n = 0; n < 1_300; n += 1) await ada.collections.chat.append({ text: `message ${n}` });
  await ada.settled();

  const back = await stand.open(store);
  const states: SyncState[] = [];
  back.on('state', (state) => states.push(state));
  await back.online();
  const progress = states.flatMap((state) => (state.kind === 'catching-up' ? [state] : []));
  expect(progress[0]?.total).toBeNull();
  const told = progress.filter(({ total }) => total !== null);
  // Two frames of entries at least, each with a state of its own.
  expect(told.length).toBeGreaterThan(2);
  const head = told[told.length - 1]?.total as number;
  expect(head).toBeGreaterThan(1_300);
  expect(told[0]?.total).toBe(head);
  expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).toSorted((a, b) => a - b));
  expect(told[told.length - 1]).toEqual({ kind: 'catching-up', done: head, total: head });
  expect(states[states.length - 1]).toEqual({ kind: 'online' });
  expect(texts(back)).toHaveLength(1_300);
});

test('a person is told that the device’s clock is an hour behind, and no more once it is right', async () => {
  const ada = await stand.found();
  let behindMs = 3_600_000;
  const clock = { ...nodePorts.clock, now: () => Date.now() - behindMs };
  const bo = await stand.admit(ada, 'bo', { ...nodePorts, clock });
  expect(ada.clockBehindSeconds).toBe(0);
  expect(Math.abs(bo.clockBehindSeconds - 3_600)).toBeLessThan(60);
  const seen: number[] = [];
  bo.subscribe(() => seen.push(bo.clockBehindSeconds));
  behindMs = 0;
  bo.pause();
  await expect.poll(() => bo.state.kind, PATIENCE).toBe('offline');
  bo.resume();
  await bo.online();
  expect(bo.clockBehindSeconds).toBe(0);
  await expect.poll(() => seen.at(-1), PATIENCE).toBe(0);
});

test('closing twice, also at once, is closing once', async () => {
  const home = await mkdtemp(join(tmpdir(), 'keytide twice '));
  try {
    const store = await openFileDeviceStore({ home, passphrase: 'a passphrase of ada' });
    let closes = 0;
    const counted = {
      ...store,
      close: async () => {
        closes += 1;
        await store.close();
      },
    };
    const ada = await stand.found(undefined, counted);
    const states: SyncState[] = [];
    ada.on('state', (state) => states.push(state));
    await Promise.all([ada.close(), ada.close()]);
    await ada.close();
    expect(closes).toBe(1);
    // The last word, and no failure.
    expect(states).toEqual([{ kind: 'closed' }]);
    expect(ada.state).toEqual({ kind: 'closed' });
    await expect(ada.online()).rejects.toMatchObject({ code: 'closed' });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

test('an app in the background has no connection, keeps what is written, and goes on in order', async () => {
  const ada = await stand.found();
  const bo = await stand.admit(ada, 'bo');
  await ada.collections.chat.append({ text: 'hello' });
  await expect.poll(() => texts(bo), PATIENCE).toEqual(['hello']);
  bo.pause();
  await expect.poll(() => bo.state).toEqual({ kind: 'offline', reason: null });
  const kinds: string[] = [];
  bo.on('state', ({ kind }) => kinds.push(kind));
  const wrote = Array.from({ length: 30 }, (_, n) => `while away ${n}`);
  for (const text of wrote) await bo.collections.chat.append({ text });
  await ada.collections.chat.append({ text: 'are you there?' });
  // More than two steps of what an unpaused client waits between attempts.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect([bo.waiting, kinds]).toEqual([30, []]);
  expect(texts(bo)).toEqual(['hello']);

  bo.resume();
  await bo.settled();
  await expect.poll(() => texts(ada).length, PATIENCE).toBe(32);
  expect(texts(ada).filter((text) => text.startsWith('while'))).toEqual(wrote);
  await expect.poll(() => texts(bo), PATIENCE).toEqual(texts(ada));
});

test('a network that is back is used at once when the app says so, not at the next attempt', async () => {
  const ada = await stand.found();
  const store = crashingStore();
  await (await stand.admit(ada, 'bo', undefined, store)).close();
  let isThere = false;
  let waits = 0;
  const bo = await stand.open(store, {
    ...nodePorts,
    fetch: (...args) => (isThere ? nodePorts.fetch(...args) : Promise.reject(new TypeError('no network'))),
    clock: {
      now: nodePorts.clock.now,
      // No attempt comes by itself.
      wait: (ms, signal) => {
        waits += 1;
        return nodePorts.clock.wait(ms < 20_000 ? 3_600_000 : ms, signal);
      },
    },
  });
  await expect.poll(() => bo.state.kind === 'offline' && waits > 1, PATIENCE).toBe(true);
  isThere = true;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(bo.state.kind).toBe('offline');
  bo.resume();
  await bo.online();
});

test('a connection that died while the phone slept is found out on resuming, and replaced', async () => {
  const ada = await stand.found();
  let isDead = false;
  const sockets: WebSocket[] = [];
  class MortalWebSocket extends WebSocket {
    constructor(url: string | URL) {
      super(url);
      sockets.push(this);
    }
    override send(data: Parameters<WebSocket['send']>[0]): void {
      if (isDead && sockets.indexOf(this) === sockets.length - 1 && sockets.length === before) return;
      super.send(data);
    }
  }
  let before = -1;
  const bo = await stand.admit(ada, 'bo', {
    ...nodePorts,
    WebSocket: MortalWebSocket,
    clock: {
      now: nodePorts.clock.now,
      wait: (ms, signal) => nodePorts.clock.wait(ms === 5_000 ? 500 : ms, signal),
    },
  });
  before = sockets.length;
  bo.resume();
  // One that answers stays.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect([sockets.length, bo.state.kind]).toEqual([before, 'online']);
  isDead = true;
  bo.resume();
  await expect.poll(() => sockets.length, PATIENCE).toBe(before + 1);
  await bo.online();
});

test('a clock that is set back while something comes is found out all the same', async () => {
  let aheadMs = 365 * 86_400_000;
  const ada = await stand.found();
  const store = crashingStore();
  await (await stand.admit(ada, 'bo', undefined, store)).close();
  const bo = await stand.open(store, {
    ...nodePorts,
    clock: {
      now: () => nodePorts.clock.now() + aheadMs,
      // Nobody looks at the clock in between.
      wait: (ms, signal) => nodePorts.clock.wait(ms < PING_MS ? ms : 3_600_000, signal),
    },
  });
  await bo.online();
  const states: SyncState[] = [];
  bo.on('state', (state) => states.push(state));
  aheadMs = 0;
  await ada.collections.chat.append({ text: 'good morning' });
  await expect.poll(() => states.map(({ kind }) => kind), PATIENCE).toContain('offline');
  await expect.poll(() => texts(bo), PATIENCE).toEqual(['good morning']);
});
