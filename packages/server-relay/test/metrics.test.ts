import { readFile } from 'node:fs/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { idBytes } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { memoryDatabase, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createAppendQueue } from '../src/append-queue.ts';
import { createMetrics } from '../src/metrics.ts';
import { observedQueue } from '../src/observed-queue.ts';
import { openDatabase, openStore } from '../src/sql/open.ts';
import { watchFailures } from '../src/sql/watch-failures.ts';
import { announceOf, appendOf, envelopeOf } from './group.ts';
import { groupLogsOn } from './group-logs-on.ts';
import { dial, greet } from './line.ts';
import { call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'metrics', members: 2 });
const { org, clock } = world;
const group = world.state.everyone;
const [ada, ben] = world.members.map(({ devices }) => devices[0]) as [
  (typeof world.members)[0]['devices'][0],
  (typeof world.members)[0]['devices'][0],
];
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  await settle(relay, world);
});
afterAll(() => relay.close());

async function valueOf(sample: string, from: { metrics(): Promise<string> } = relay): Promise<number> {
  const line = (await from.metrics()).split('\n').find((text) => text.startsWith(`${sample} `));
  if (line === undefined) throw new Error(`no ${sample}`);
  return Number(line.slice(sample.length));
}

const stored = 'keytide_relay_appends_total{outcome="stored"}';

test('appends, deliveries and sockets are counted, without an id of anybody', async () => {
  const first = await greet(relay, await tokenOf(relay, org, ada));
  first.send(await announceOf(world, ada, 0));
  await first.next('appended');
  const second = await greet(relay, await tokenOf(relay, org, ben));
  for (const line of [first, second]) {
    line.send({ type: 'subscribe', group, afterSeq: 0 });
    await line.next('caught-up');
  }
  expect(await valueOf('keytide_relay_deliveries_total')).toBe(2);
  const append = appendOf(world, 1, 3);
  first.send(append);
  await first.next('appended');
  first.send({ ...append, requestId: 2 });
  await first.next('appended');
  await second.next('entries');
  await expect.poll(() => valueOf('keytide_relay_deliveries_total')).toBe(2 + 2 * 3);
  expect(await valueOf(stored)).toBe(4);
  expect(await valueOf('keytide_relay_appends_total{outcome="repeated"}')).toBe(3);
  expect(await valueOf('keytide_relay_append_seconds_count')).toBe(3);
  expect(await valueOf('keytide_relay_append_queue')).toBe(0);
  expect(await valueOf('keytide_relay_connections')).toBe(2);
  second.socket.terminate();
  await expect.poll(() => valueOf('keytide_relay_connections')).toBe(1);
  const text = await relay.metrics();
  for (const id of [org, group, ada.id, ben.id]) expect(text).not.toContain(id.slice(0, 8));
  first.socket.terminate();
});

test('refusals are counted by code, over HTTP, of a request on a socket and of a socket', async () => {
  const refusals = (code: string): Promise<number> => valueOf(`keytide_relay_refusals_total{code="${code}"}`);
  await call(relay, 'GET', `/organisations/${org}/log?from=0`);
  expect(await refusals('session-ended')).toBe(1);
  const line = await greet(relay, await tokenOf(relay, org, ada));
  const messageId = world.random(16);
  line.send({
    type: 'append',
    requestId: 7,
    group,
    items: [{ messageId, envelope: envelopeOf(world, 300, 9) }],
  });
  await line.next('refused');
  expect(await refusals('unknown-epoch')).toBe(1);
  expect(await valueOf('keytide_relay_appends_total{outcome="refused"}')).toBe(1);
  line.socket.terminate();
  const stranger = await dial(relay);
  stranger.sendBytes(Uint8Array.of(1));
  await stranger.ended;
  expect(await refusals('malformed')).toBe(1);
});

test('the age of expiry starts again each time that what has expired was deleted', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const own = await relayUnderTest({ clock });
  try {
    const age = 'keytide_relay_expiry_age_seconds';
    clock.advance(700_000);
    expect(await valueOf(age, own)).toBe(700);
    vi.advanceTimersByTime(600_000);
    await expect.poll(() => valueOf(age, own)).toBe(0);
  } finally {
    vi.useRealTimers();
    await own.close();
  }
});

test('a statement that fails is counted, alone and in a transaction', async () => {
  let failures = 0;
  const database = watchFailures(await openDatabase(memoryDatabase()), () => {
    failures += 1;
  });
  try {
    await database.query('select 1');
    expect(failures).toBe(0);
    await expect(database.query('select nonsense')).rejects.toMatchObject({ code: 'database-failed' });
    expect(failures).toBe(1);
    const transaction = database.transaction((runner) => runner.query('select nonsense'));
    await expect(transaction).rejects.toMatchObject({ code: 'database-failed' });
    expect(failures).toBe(2);
  } finally {
    await database.close();
  }
});

test('an append whose outcome is unknown counts as failed, and leaves the queue', async () => {
  const { store } = await openStore(memoryDatabase(), nodePrimitives, 0);
  const metrics = createMetrics(clock, '0');
  const nothing = (): void => undefined;
  const queue = observedQueue(
    createAppendQueue({ logs: groupLogsOn(store, nodeRandom), lanes: 1, stored: nothing, repeated: nothing }),
    metrics,
  );
  await store.close();
  const item = { org, group, epoch: 1, messageId: idBytes(org).slice(0, 16), envelope: envelopeOf(world) };
  const appending = queue.append([item]);
  expect(await valueOf('keytide_relay_append_queue', { metrics: metrics.text })).toBe(1);
  await expect(appending).rejects.toMatchObject({ code: 'database-failed' });
  expect(await valueOf('keytide_relay_appends_total{outcome="failed"}', { metrics: metrics.text })).toBe(1);
  expect(await valueOf('keytide_relay_append_queue', { metrics: metrics.text })).toBe(0);
});

test('the dashboard and the alert rules name nothing but metrics and labels that exist, and every metric of ours', async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const text = `${await relay.metrics()}${await registry.metrics()}`;
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const names = new Set(samples.map((line) => /^\w+/.exec(line)?.[0] as string));
  const read = (file: string): Promise<string> =>
    readFile(new URL(`../operate/${file}`, import.meta.url), 'utf8');
  const dashboard = JSON.stringify(JSON.parse(await read('grafana-dashboard.json')));
  const rules = await read('prometheus-alerts.yml');
  const used = new Set(
    [...`${dashboard} ${rules}`.matchAll(/\b(?:keytide_relay|process|nodejs)_\w+/g)].map(String),
  );
  expect([...used].filter((name) => !names.has(name))).toEqual([]);
  const ours = [...text.matchAll(/^# TYPE (keytide_relay_\w+) /gm)].map(([, name]) => name as string);
  expect(ours.filter((name) => ![...used].some((one) => one.startsWith(name)))).toEqual([]);
  const labels = new Set([...text.matchAll(/(\w+)="/g)].map(([, label]) => label));
  const outcomes = [...rules.matchAll(/(\w+)="(\w+)"/g)].filter(([, label]) => label !== 'job');
  for (const [, label, value] of outcomes) {
    expect(labels).toContain(label);
    if (label === 'outcome') expect(text).toContain(`outcome="${value}"`);
  }
});
