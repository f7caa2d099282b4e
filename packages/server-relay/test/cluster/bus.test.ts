import { deviceId, groupId, orgId } from '@keytide/crypto-core';
import { seededRandom } from '@keytide/testkit';
import { afterEach, expect, test } from 'vitest';
import { openBus, type Bus, type OpenCarrier } from '../../src/cluster/bus.ts';
import { decodeBatch, encodeBatch, type BusMessage } from '../../src/cluster/bus-message.ts';
import { createDeviceRates } from '../../src/device-rates.ts';
import { createRateLimit } from '../../src/rate-limit.ts';
import { createRateSharing } from '../../src/rate-sharing.ts';

const random = seededRandom('bus');
const org = orgId(random(32));
const group = groupId(random(32));
const device = deviceId(random(32));
const BEAT_MS = 20;
const opened: Bus[] = [];

afterEach(async () => {
  for (const bus of opened.splice(0)) await bus.close();
});

/** A network between nodes that can be cut. */
function network() {
  const ears = new Set<(bytes: Uint8Array) => void>();
  const state = { isCut: false, connections: 0, sizes: [] as number[] };
  const open: OpenCarrier = (heard) => {
    ears.add(heard);
    state.connections += 1;
    return {
      send(bytes) {
        state.sizes.push(bytes.length);
        if (!state.isCut) for (const ear of ears) ear(bytes);
        return Promise.resolve();
      },
      again: () => void (state.connections += 1),
      close: () => Promise.resolve(void ears.delete(heard)),
    };
  };
  function node() {
    const received: BusMessage[] = [];
    const turns: boolean[] = [];
    const bus = openBus({
      open,
      random,
      beatMs: BEAT_MS,
      received: (message) => void received.push(message),
      subscribed: () => undefined,
      turned: (isAlive) => void turns.push(isAlive),
    });
    opened.push(bus);
    return { bus, received, turns };
  }
  return { state, node, ears };
}

const MESSAGES: readonly BusMessage[] = [
  { type: 'head', org, group, seq: 7 },
  { type: 'look' },
  { type: 'hint', org, topic: 'mail', devices: [device] },
  { type: 'hint', org, topic: 'data', devices: 'everyone' },
  { type: 'ephemeral', org, group, frame: random(4096) },
  { type: 'spent', rate: 'mail', id: device, count: 2 },
];

test('the others hear what a node says, and it does not hear itself', async () => {
  const { node } = network();
  const [a, b, c] = [node(), node(), node()];
  for (const message of MESSAGES) a.bus.publish(message);
  await expect.poll(() => b.received).toEqual(MESSAGES);
  expect(c.received).toEqual(MESSAGES);
  expect(a.received).toEqual([]);
});

test('what does not fit into one batch goes in several', async () => {
  const { node, state } = network();
  const [a, b] = [node(), node()];
  const messages = Array.from({ length: 400 }, (_, seq) => ({ type: 'head', org, group, seq }) as const);
  for (const message of messages) a.bus.publish(message);
  await expect.poll(() => b.received).toEqual(messages);
  // Base64 makes four of three, and NOTIFY takes fewer than 8,000.
  expect(Math.max(...state.sizes) * (4 / 3)).toBeLessThan(8_000);
});

test('silence is noticed, ends in another connection, and is over when a heartbeat comes back', async () => {
  const { node, state } = network();
  const { bus, turns } = node();
  expect(bus.isAlive()).toBe(true);
  state.isCut = true;
  await expect.poll(() => bus.isAlive()).toBe(false);
  await expect.poll(() => state.connections).toBeGreaterThan(1);
  state.isCut = false;
  await expect.poll(() => bus.isAlive()).toBe(true);
  expect(turns.slice(-2)).toEqual([false, true]);
});

test('what no node says is dropped, and what comes after it is not', async () => {
  const { node, ears } = network();
  const { received } = node();
  const from = random(16);
  const good = encodeBatch(from, [{ type: 'look' }]);
  const strange = [
    new Uint8Array(),
    random(40),
    good.subarray(0, -1),
    encodeBatch(from, [{ type: 'ephemeral', org, group, frame: random(4097) }]),
    encodeBatch(from, [{ type: 'head', org, group, seq: -1 }]),
    encodeBatch(from, [{ type: 'hint', org, topic: 'none' as never, devices: 'everyone' }]),
  ];
  for (const bytes of strange) {
    expect(decodeBatch(bytes)).toBeNull();
    for (const ear of ears) ear(bytes);
  }
  expect(received).toEqual([]);
  for (const ear of ears) ear(good);
  expect(received).toEqual([{ type: 'look' }]);
});

test('what one node gives away of an allowance is gone at the others', () => {
  const clock = { now: () => 0 };
  const heard: ((message: BusMessage) => void)[] = [];
  const node = () => {
    const sharing = createRateSharing((message) => {
      for (const hear of heard) if (hear !== mine) hear(message);
    });
    const mine = (message: BusMessage): void => {
      if (message.type === 'spent') sharing.received(message);
    };
    heard.push(mine);
    return {
      rates: createDeviceRates(clock, 3, 1, sharing.named('ephemeral')),
      admit: createRateLimit(clock, 2, 1, sharing.named('strangers')),
    };
  };
  const [a, b] = [node(), node()];
  expect([a.rates.admits(device), b.rates.admits(device), a.rates.admits(device)]).toEqual([
    true,
    true,
    true,
  ]);
  expect([a.rates.admits(device), b.rates.admits(device)]).toEqual([false, false]);
  a.admit();
  b.admit();
  for (const { admit } of [a, b]) expect(admit).toThrow(expect.objectContaining({ code: 'rate-limited' }));
});
