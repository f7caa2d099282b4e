import type { Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashingStore } from './crashing-store.ts';
import { openStand, type Stand } from './stand.ts';

const YEAR_MS = 366 * 86_400_000;
const PATIENCE = { timeout: 20_000 };
let stand: Stand;
beforeAll(async () => {
  stand = await openStand();
});
afterAll(() => stand.close());

test('a direct message that waits outlives a leap of the device’s clock, and reaches the other one', async () => {
  const ada = await stand.found();
  let aheadMs = 0;
  let isCut = false;
  const ports: Ports = {
    ...nodePorts,
    clock: { ...nodePorts.clock, now: () => Date.now() + aheadMs },
    fetch: (input, init) => (isCut ? Promise.reject(new TypeError('no network')) : fetch(input, init)),
    WebSocket: class extends WebSocket {
      constructor(url: string | URL) {
        super(isCut ? 'ws://127.0.0.1:9/' : url);
      }
    },
  };
  const store = { ...crashingStore(), close: async () => {} };
  const bo = await stand.admit(ada, 'bo', ports, store);
  isCut = true;
  bo.pause();
  await expect.poll(() => bo.state.kind, PATIENCE).toBe('offline');
  await bo.direct.send(ada.member, { text: 'before the leap' });
  expect(bo.direct.waiting).toBe(1);
  await bo.close();

  aheadMs = YEAR_MS;
  const leapt = await stand.open(store, ports);
  // What can be read here is over by the clock alone.
  await expect.poll(async () => (await store.keys.names('direct/kept/')).length, PATIENCE).toBe(0);
  expect([leapt.direct.read(ada.member), leapt.direct.waiting]).toEqual([[], 1]);
  await leapt.close();

  [aheadMs, isCut] = [0, false];
  await stand.open(store, ports);
  const heard = () => ada.direct.read(bo.member).map(({ body }) => body['text']);
  await expect.poll(heard, PATIENCE).toEqual(['before the leap']);
});
