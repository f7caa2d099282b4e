import { nodePrimitives } from '@keytide/crypto-core/node';
import { groupId, idBytes, orgId } from '@keytide/crypto-core';
import { decodeRelayFrame, encodeRelayFrame, type RelayFrame } from '@keytide/relay-protocol';
import { memoryDatabase, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAppendQueue } from '../src/append-queue.ts';
import { RelayError } from '../src/errors.ts';
import type { GroupLogs } from '../src/group-logs.ts';
import { createHub } from '../src/hub.ts';
import type { SqlDatabase } from '../src/sql/database.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { openDatabase } from '../src/sql/open.ts';
import { sqlRelayStore } from '../src/sql/store.ts';
import { createSubscription, type Outlet } from '../src/subscription.ts';
import { groupLogsOn } from './group-logs-on.ts';

const random = seededRandom('subscription');
const org = orgId(random(32));
let database: SqlDatabase;
let store: GroupLogs;

beforeAll(async () => {
  database = await openDatabase(memoryDatabase());
  await migrate(database, nodePrimitives, await readMigrations(), 1);
  store = groupLogsOn(sqlRelayStore(database), random);
});
afterAll(() => database.close());

/** A group with one epoch and `count` envelopes, and a way to add more. */
async function groupOf(count: number) {
  const group = groupId(random(32));
  const hub = createHub();
  const batches: number[] = [];
  let inFlight = 0;
  const watched: GroupLogs = {
    ...store,
    async appendEnvelopes(items) {
      inFlight += 1;
      expect(inFlight).toBe(1);
      batches.push(items.length);
      const verdicts = await store.appendEnvelopes(items);
      inFlight -= 1;
      return verdicts;
    },
  };
  const queue = createAppendQueue({
    logs: watched,
    lanes: 1,
    stored: (run) => hub.publish(run),
    repeated: (_org, at, seq) => hub.mention(_org, at, seq),
  });
  const item = () => ({ org, group, epoch: 1, messageId: random(16), envelope: random(200) });
  await store.announceEpoch({
    org,
    group,
    epoch: 1,
    messageId: random(16),
    statement: random(9),
    boxes: [],
  });
  await queue.append(Array.from({ length: count }, item));
  return { group, hub, queue, item, batches };
}

/** An outlet that a test can fill up. */
function outletOf() {
  const frames: RelayFrame[] = [];
  const state = { lagging: false, behind: false, wake: [] as (() => void)[] };
  const outlet: Outlet = {
    send: (frame) => void frames.push(decodeRelayFrame(frame)),
    isLagging: () => state.lagging,
    isBehind: () => state.behind,
    drained: () =>
      state.lagging ? new Promise<void>((resolve) => state.wake.push(resolve)) : Promise.resolve(),
  };
  const drain = (): void => {
    state.lagging = false;
    for (const call of state.wake.splice(0)) call();
  };
  const seqs = (): number[] =>
    frames.flatMap((frame) =>
      frame.type === 'entries' ? frame.entries.map((_e, i) => frame.firstSeq + i) : [],
    );
  return { outlet, frames, state, drain, seqs };
}

function follow(at: Awaited<ReturnType<typeof groupOf>>, outlet: Outlet, afterSeq: number) {
  const subscription = createSubscription({
    group: at.group,
    afterSeq,
    outlet,
    readPage: (after) => store.readEntries(org, at.group, after),
    delivered: () => undefined,
    failed: (error) => {
      throw error;
    },
  });
  at.hub.follow(org, at.group, subscription);
  subscription.start();
  return subscription;
}

/** On a machine that does other things as well. */
const POLL = { timeout: 20_000 };

const caughtUp = (frames: RelayFrame[], count: number) =>
  expect.poll(() => frames.filter(({ type }) => type === 'caught-up').length, POLL).toBe(count);

test('expired entries show as a gap', async () => {
  const at = await groupOf(9);
  await database.query('delete from entries where grp = $1 and seq <= 4', [idBytes(at.group)]);
  const { outlet, frames, seqs } = outletOf();
  follow(at, outlet, 1);
  await caughtUp(frames, 1);
  expect(frames[0]).toEqual({ type: 'head', group: at.group, headSeq: 10 });
  expect(frames[1]).toEqual({ type: 'gap', group: at.group, firstAvailableSeq: 5 });
  expect(seqs()).toEqual([5, 6, 7, 8, 9, 10]);
  await database.query('delete from entries where grp = $1', [idBytes(at.group)]);
  const later = outletOf();
  follow(at, later.outlet, 0);
  await caughtUp(later.frames, 1);
  expect(later.frames).toEqual([
    { type: 'head', group: at.group, headSeq: 10 },
    { type: 'gap', group: at.group, firstAvailableSeq: 11 },
    { type: 'caught-up', group: at.group, headSeq: 10 },
  ]);
});

test('a word of entries that the log does not have costs a look, and nothing more', async () => {
  const at = await groupOf(2);
  const { outlet, frames, seqs } = outletOf();
  follow(at, outlet, 0).mention(1_000);
  await caughtUp(frames, 1);
  at.hub.mention(org, at.group, 2_000);
  await caughtUp(frames, 2);
  await at.queue.append([at.item()]);
  await expect.poll(seqs, POLL).toEqual([1, 2, 3, 4]);
});

test('a long log is read to its end before it is called caught up', async () => {
  const at = await groupOf(1_100);
  const { outlet, frames, seqs } = outletOf();
  follow(at, outlet, 0);
  await caughtUp(frames, 1);
  expect(frames[0]).toEqual({ type: 'head', group: at.group, headSeq: 1_101 });
  expect(frames.filter(({ type }) => type === 'head')).toHaveLength(1);
  expect(frames.at(-1)).toEqual({ type: 'caught-up', group: at.group, headSeq: 1_101 });
  expect(seqs()).toEqual(Array.from({ length: 1_101 }, (_, i) => i + 1));
});

test('who lags gets no live frames, and everything from the log once drained', async () => {
  const at = await groupOf(1);
  const { outlet, frames, state, drain, seqs } = outletOf();
  follow(at, outlet, 0);
  await caughtUp(frames, 1);
  await at.queue.append([at.item()]);
  expect(seqs()).toEqual([1, 2, 3]);
  state.lagging = true;
  for (let i = 0; i < 5; i += 1) await at.queue.append([at.item(), at.item()]);
  expect(seqs()).toEqual([1, 2, 3]);
  drain();
  await caughtUp(frames, 2);
  expect(seqs()).toEqual(Array.from({ length: 13 }, (_, i) => i + 1));
});

test('entries stored without a word, as after a lost answer of the database, are found at the next', async () => {
  const at = await groupOf(1);
  const { outlet, frames, seqs } = outletOf();
  follow(at, outlet, 0);
  await caughtUp(frames, 1);
  const silent = at.item();
  await store.appendEnvelopes([silent, at.item()]);
  await at.queue.append([at.item()]);
  await caughtUp(frames, 2);
  expect(seqs()).toEqual([1, 2, 3, 4, 5]);
  await store.appendEnvelopes([at.item()]);
  const [verdict] = await at.queue.append([silent]);
  expect(verdict).toEqual({ seq: 3, repeated: true });
});

test('a repeated append wakes those who missed it', async () => {
  const at = await groupOf(1);
  const { outlet, frames, seqs } = outletOf();
  follow(at, outlet, 0);
  await caughtUp(frames, 1);
  const missed = at.item();
  await store.appendEnvelopes([missed]);
  await at.queue.append([missed]);
  await caughtUp(frames, 2);
  expect(seqs()).toEqual([1, 2, 3]);
});

test('who is behind misses what is stored nowhere, and gets the next', async () => {
  const at = await groupOf(0);
  const { outlet, frames, state } = outletOf();
  const subscription = follow(at, outlet, 0);
  const sender = follow(at, outletOf().outlet, 0);
  await caughtUp(frames, 1);
  const pass = (byte: number): void => {
    const frame = encodeRelayFrame({ type: 'ephemeral', group: at.group, frame: Uint8Array.of(byte) });
    at.hub.pass(org, at.group, frame, sender);
  };
  const heard = () => frames.flatMap((frame) => (frame.type === 'ephemeral' ? [...frame.frame] : []));
  pass(1);
  state.behind = true;
  pass(2);
  state.behind = false;
  pass(3);
  expect(heard()).toEqual([1, 3]);
  subscription.stop();
  pass(4);
  expect(heard()).toEqual([1, 3]);
});

test('a stopped subscription sends nothing more', async () => {
  const at = await groupOf(3);
  const { outlet, frames } = outletOf();
  follow(at, outlet, 0).stop();
  await at.queue.append([at.item()]);
  expect(frames).toEqual([]);
});

test('a lone append goes alone and at once; what comes meanwhile goes together', async () => {
  const at = await groupOf(1);
  at.batches.length = 0;
  const first = at.queue.append([at.item()]);
  await Promise.resolve();
  await Promise.resolve();
  const others = Array.from({ length: 30 }, () => at.queue.append([at.item(), at.item()]));
  expect((await first)[0]).toEqual({ seq: 3, repeated: false });
  const seqs = (await Promise.all(others)).flat().map((verdict) => 'seq' in verdict && verdict.seq);
  expect(seqs).toEqual(Array.from({ length: 60 }, (_, i) => i + 4));
  expect(at.batches).toEqual([1, 60]);
});

test('a batch ends before a message id comes twice, at 500 items, and at 1 MiB', async () => {
  const at = await groupOf(0);
  at.batches.length = 0;
  const twice = at.item();
  await at.queue.append([at.item(), twice, at.item(), twice, at.item()]);
  await at.queue.append(Array.from({ length: 501 }, at.item));
  await at.queue.append(Array.from({ length: 5 }, () => ({ ...at.item(), envelope: random(262_144) })));
  expect(at.batches).toEqual([3, 2, 500, 1, 4, 1]);
});

test('when the database fails, everybody in the batch hears it and the queue goes on', async () => {
  const at = await groupOf(0);
  const broken: GroupLogs = { ...store, appendEnvelopes: () => Promise.reject(new Error('gone')) };
  const stored: unknown[] = [];
  let target: GroupLogs = broken;
  const queue = createAppendQueue({
    logs: { ...store, appendEnvelopes: (items) => target.appendEnvelopes(items) },
    lanes: 3,
    stored: (run) => stored.push(run.firstSeq),
    repeated: () => undefined,
  });
  const results = await Promise.allSettled([queue.append([at.item()]), queue.append([at.item()])]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(stored).toEqual([]);
  target = store;
  expect(await queue.append([at.item()])).toEqual([{ seq: 2, repeated: false }]);
  await queue.idle();
  expect(stored).toEqual([2]);
});

test('what the database refuses for one item alone costs its neighbours nothing', async () => {
  const at = await groupOf(0);
  const items = Array.from({ length: 9 }, at.item);
  const asked: number[] = [];
  const queue = createAppendQueue({
    logs: {
      ...store,
      async appendEnvelopes(some) {
        asked.push(some.length);
        if (!some.includes(items[4] as (typeof items)[0])) return store.appendEnvelopes(some);
        const cause = Object.assign(new Error(), { code: '22021' });
        throw new RelayError('database-failed', 'refused', { cause });
      },
    },
    lanes: 1,
    stored: () => undefined,
    repeated: () => undefined,
  });
  const results = await Promise.allSettled(items.map((item) => queue.append([item])));
  expect(results.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([4]);
  expect((await store.readEntries(org, at.group, 0)).entries.map(({ bytes }) => bytes).slice(1)).toEqual(
    items.filter((_item, index) => index !== 4).map(({ envelope }) => envelope),
  );
  expect(asked).toEqual([9, 5, 3, 2, 1, 1, 4]);
});
