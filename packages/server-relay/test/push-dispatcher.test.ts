import { deviceId, memberId, orgId, type DeviceId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { openStore, type LogEvent, type RelayStore } from '@keytide/server-relay';
import {
  checkWebhook,
  fakeClock,
  memoryDatabase,
  type PushService,
  seededRandom,
  startPushService,
} from '@keytide/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createAtRest } from '../src/at-rest.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { createPushDispatcher, type PushDispatcher } from '../src/push/dispatcher.ts';
import { createPushRegistrations, type PushRegistrations } from '../src/push/registrations.ts';
import { createMetrics } from '../src/metrics.ts';
import { createPushSenders } from '../src/push/senders.ts';

const { pushGraceMs: GRACE, pushIntervalMs: INTERVAL, pushRepeatMs: REPEAT } = DEFAULT_LIMITS;
const random = seededRandom('push dispatcher');
const clock = fakeClock(Date.UTC(2030, 0, 1));
const secret = random(32);
let org = orgId(random(32));
let store: RelayStore;
let registrations: PushRegistrations;
let service: PushService;
let events: LogEvent[];
let dispatcher: PushDispatcher;

beforeAll(async () => {
  ({ store } = await openStore(memoryDatabase(), primitives, clock.now()));
  const wrapper = localKeyWrapper(primitives, random, random(32));
  registrations = createPushRegistrations(store, createAtRest({ store, wrapper, primitives, random }));
});
afterAll(() => store.close());
beforeEach(async () => {
  service = await startPushService();
  org = orgId(random(32));
  events = [];
  dispatcher = dispatcherNow();
  return async () => {
    await dispatcher.close();
    await service.close();
    // Nothing of one test is due in another.
    clock.advance(30 * 86_400_000);
    for (const { org: of, device } of await store.claimPushes(clock.now(), clock.now(), 1000))
      await store.deletePushRegistration(of, device);
  };
});

function dispatcherNow(limits: Partial<typeof DEFAULT_LIMITS> = {}): PushDispatcher {
  const options = { webhook: { url: `${service.origin}/hook`, secret }, allow: [service.origin] };
  return createPushDispatcher({
    store,
    registrations,
    senders: createPushSenders(options, clock, 300),
    primitives,
    random,
    clock,
    limits: { ...DEFAULT_LIMITS, ...limits },
    log: (event) => void events.push(event),
    metrics: createMetrics(clock, '0'),
  });
}

async function register(token: string): Promise<DeviceId> {
  const id = deviceId(random(32));
  await registrations.put(org, id, { kind: 'webhook', target: token });
  return id;
}

/** Time goes on, and what is due is done. The tokens of those who were told. */
async function after(ms: number): Promise<string[]> {
  clock.advance(ms);
  const before = service.seen.length;
  await dispatcher.tick();
  await dispatcher.idle();
  return service.seen.slice(before).map(({ body }) => (JSON.parse(body) as { token: string }).token);
}

const idsSeen = () => service.seen.map(({ body }) => (JSON.parse(body) as { id: string }).id);
const outcomes = () => events.flatMap((event) => (event.event === 'push' ? [event.outcome] : []));

test('all registrations are looked through at the start, and then only after a node has died', async () => {
  await after(0);
  const device = await register('of a node that died');
  const node = random(16);
  await store.putPresence(node, [{ org, device, kind: 'came' }], 0);
  await store.putMail({
    ...{ org, recipient: device, sender: device, member: memberId(random(16)), messageId: random(16) },
    ...{ bytes: random(9), expiresMs: clock.now() + REPEAT, most: 9, mostOfMember: 9 },
  });
  dispatcher.recover();
  expect(await after(INTERVAL)).toEqual([]);
  // Nothing was looked through: it is still with that node, which has no lease.
  expect(await after(2 * INTERVAL)).toEqual([]);
  await store.renewNode({ node, relayKey: random(32), leaseMs: -1, acked: 0 });
  dispatcher.recover();
  await after(0);
  expect(await after(INTERVAL)).toEqual(['of a node that died']);
  await store.leaveNodes(node);
});

test('many things are one word, to each that is not connected and to none that is', async () => {
  await register('away');
  const here = await register('here');
  dispatcher.came(org, here);
  dispatcher.came(org, here);
  dispatcher.left(org, here, false);
  for (let i = 0; i < 50; i += 1) dispatcher.wake(org, 'everyone');
  expect(await after(GRACE - 1)).toEqual([]);
  dispatcher.wake(org, 'everyone');
  expect(await after(1)).toEqual(['away']);
  for (const request of service.seen) checkWebhook(request, { secret, nowMs: clock.now() });
  expect(await after(10 * REPEAT)).toEqual([]);
});

test('a word is not repeated before its time', async () => {
  const one = await register('one');
  await register('two');
  dispatcher.wake(org, 'everyone');
  expect((await after(GRACE)).toSorted()).toEqual(['one', 'two']);
  dispatcher.came(org, one);
  await after(0);
  dispatcher.left(org, one, true);
  expect(await after(1)).toEqual([]);
  dispatcher.wake(org, 'everyone');
  expect(await after(GRACE)).toEqual([]);
  expect(await after(INTERVAL - 2 * GRACE)).toEqual([]);
  expect(await after(2 * GRACE)).toEqual(['one']);
  expect(await after(REPEAT - INTERVAL - 3 * GRACE)).toEqual([]);
  expect(await after(3 * GRACE)).toEqual(['two']);
});

test('who comes by itself in time is not told', async () => {
  const back = await register('back');
  dispatcher.wake(org, [back]);
  clock.advance(1);
  dispatcher.came(org, back);
  expect(await after(GRACE)).toEqual([]);
  // One that is due already, too; and one that was gone again before anybody looked.
  const due = await register('due');
  dispatcher.wake(org, [due]);
  service.reply = () => ({ status: 503 });
  expect(await after(GRACE)).toEqual(['due']);
  dispatcher.came(org, due);
  dispatcher.left(org, due, true);
  expect(await after(REPEAT)).toEqual([]);
  // What was stored while it was closing its connection may have come too late for it.
  dispatcher.wake(org, [back]);
  dispatcher.left(org, back, true);
  service.reply = () => ({ status: 201 });
  expect(await after(GRACE)).toEqual(['back']);
});

test('who closes its connection just when something is stored is told, and later on not', async () => {
  const id = await register('crossed');
  dispatcher.came(org, id);
  await after(0);
  dispatcher.wake(org, 'everyone');
  clock.advance(GRACE - 1);
  dispatcher.wake(org, 'everyone');
  // Written down while the device seemed to be there.
  expect(await after(1)).toEqual([]);
  dispatcher.left(org, id, true);
  expect(await after(GRACE)).toEqual(['crossed']);
  dispatcher.came(org, id);
  await after(INTERVAL);
  dispatcher.wake(org, 'everyone');
  expect(await after(GRACE)).toEqual([]);
  dispatcher.left(org, id, true);
  expect(await after(REPEAT)).toEqual([]);
});

test('a device that registers while it is connected is not told', async () => {
  const id = deviceId(random(32));
  dispatcher.came(org, id);
  await after(0);
  await registrations.put(org, id, { kind: 'webhook', target: 'fresh' });
  dispatcher.registered(org, id);
  dispatcher.wake(org, 'everyone');
  expect(await after(GRACE)).toEqual([]);
  dispatcher.left(org, id, true);
  dispatcher.wake(org, 'everyone');
  expect(await after(GRACE)).toEqual(['fresh']);
});

test('what fails is tried again under the same id, ever later, and given up in the end', async () => {
  await register('busy');
  service.reply = () => ({ status: 500 });
  dispatcher.wake(org, 'everyone');
  expect(await after(GRACE)).toEqual(['busy']);
  for (let tries = 1; tries < 8; tries += 1) {
    const shortest = 30_000 * 2 ** (tries - 1) * 0.75;
    expect(await after(shortest - 1)).toEqual([]);
    expect(await after(shortest)).toEqual(['busy']);
  }
  expect(await after(86_400_000)).toEqual([]);
  expect(new Set(idsSeen()).size).toBe(1);
  service.reply = () => ({ status: 429, headers: { 'retry-after': '7200' } });
  dispatcher.wake(org, 'everyone');
  expect(await after(GRACE)).toEqual(['busy']);
  expect(await after(7_199_000)).toEqual([]);
  service.reply = () => ({ status: 204 });
  expect(await after(1_000)).toEqual(['busy']);
  const ids = idsSeen();
  expect(new Set(ids).size).toBe(2);
  expect(ids.at(-1)).toBe(ids.at(-2));
  expect(events.filter(({ event }) => event === 'failed')).toEqual([]);
  expect(outcomes()).toEqual([...Array(9).fill('push-busy'), 'told']);
});

test('who is gone is forgotten, and nobody else', async () => {
  await register('dead');
  await register('alive');
  service.reply = ({ body }) => ({ status: body.includes('dead') ? 410 : 204 });
  dispatcher.wake(org, 'everyone');
  expect((await after(GRACE)).toSorted()).toEqual(['alive', 'dead']);
  dispatcher.wake(org, 'everyone');
  expect(await after(REPEAT)).toEqual(['alive']);
  expect(outcomes().toSorted()).toEqual(['gone', 'told', 'told']);
});

test('what was due is told after a crash, and after a stop', async () => {
  await register('waits');
  service.reply = () => 'silence';
  dispatcher.wake(org, 'everyone');
  clock.advance(GRACE);
  await dispatcher.tick();
  await service.until(1);
  // Closed while it waits for an answer: one more failure.
  await dispatcher.close();
  service.reply = () => ({ status: 204 });
  dispatcher = dispatcherNow();
  expect(await after(0)).toEqual([]);
  expect(await after(37_500)).toEqual(['waits']);
  expect(new Set(idsSeen()).size).toBe(1);
  // Killed while it waited: the claim ends by itself.
  clock.advance(REPEAT);
  await store.markPushDue(org, null, { nowMs: clock.now(), intervalMs: 0, repeatMs: 0 });
  expect(await store.claimPushes(clock.now(), clock.now() + 60_000, 1)).toHaveLength(1);
  expect(await after(59_999)).toEqual([]);
  expect(await after(1)).toEqual(['waits']);
  clock.advance(REPEAT);
  dispatcher.wake(org, 'everyone');
  await dispatcher.close();
  dispatcher = dispatcherNow();
  expect(await after(0)).toEqual(['waits']);
});

test('many are told, few at a time', async () => {
  const tokens = Array.from({ length: 40 }, (_, i) => `device-${i}`);
  for (const token of tokens) await register(token);
  let atOnce = 0;
  let most = 0;
  await dispatcher.close();
  dispatcher = dispatcherNow({ pushesAtOnce: 4 });
  service.reply = () => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    setImmediate(() => (atOnce -= 1));
    return { status: 204 };
  };
  dispatcher.wake(org, 'everyone');
  clock.advance(GRACE);
  // Without waiting for the next look: each that ends makes room.
  await dispatcher.tick();
  await service.until(40);
  await dispatcher.idle();
  expect(most).toBeLessThanOrEqual(4);
  const told = service.seen.map(({ body }) => (JSON.parse(body) as { token: string }).token);
  expect(told.toSorted()).toEqual(tokens.toSorted());
});

test('a registration that was moved to another device in the database opens for nobody', async () => {
  const mine = deviceId(random(32));
  await registrations.put(org, mine, { kind: 'webhook', target: 'mine' });
  dispatcher.wake(org, 'everyone');
  clock.advance(GRACE);
  const bare = await store.markPushDue(org, null, { nowMs: clock.now(), intervalMs: 0, repeatMs: 0 });
  expect(bare).toBe(1);
  const [claim] = await store.claimPushes(clock.now(), clock.now(), 1);
  if (claim === undefined) throw new Error('nothing is due');
  const theirs = deviceId(random(32));
  await store.putPushRegistration({ ...claim, device: theirs });
  expect(await after(GRACE)).toEqual([]);
  expect(await after(GRACE)).toEqual([]);
  await store.deletePushRegistration(org, theirs);
  expect(events).toContainEqual({ event: 'failed', where: 'push', code: 'data-damaged' });
});
