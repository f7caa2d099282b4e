import { createOrganisation, join, type DeviceStore } from '@keytide/client';
import {
  concatBytes,
  decodeCbor,
  idBytes,
  openBox,
  parseEpochStatement,
  parseSealingRecord,
  type EpochStatement,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { type HostileRelay, hostileRelay, memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatPeople, hears, reasonsOf, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const HOUR_MS = 3_600_000;
const PATIENCE = { timeout: 20_000 };
const policy = { blockSeconds: 3600, retentionSeconds: 6 * 3600, exportSeconds: 24 * 3600 };
const clock = leapingClock(1_767_225_600_000 + 600_000);

let relay: Relay;
let hostile: HostileRelay;
let ada: Person;
let bo: Person;
const people = chatPeople(clock);
const announced: { statement: EpochStatement; boxes: readonly { device: string; box: Uint8Array }[] }[] = [];

/** Everybody sleeps, and wakes up so much later. */
const hours = (count: number): Promise<void> => people.sleep(count * HOUR_MS);

/** Resolves when the newest sealing key of a device is published, and in force. */
async function hasKey(one: Person): Promise<void> {
  let startsMs = Infinity;
  const look = async (): Promise<boolean> => {
    const names = await one.store.keys.names('sealing/');
    const newest = await one.store.keys.get(names[names.length - 1] ?? 'none');
    const value = newest === null ? null : decodeCbor(newest, 4096);
    if (!Array.isArray(value) || value[3] !== true) return false;
    const record = parseSealingRecord(value[1] as Uint8Array);
    startsMs = record.notBeforeMs;
    return clock.now() < record.notAfterMs;
  };
  await expect.poll(look, PATIENCE).toBe(true);
  clock.leap(Math.max(0, startsMs - clock.now()));
}

/** Whether a key is stored that is not known to be published. */
async function waiting(one: Person): Promise<boolean> {
  const names = await one.store.keys.names('sealing/');
  const newest = await one.store.keys.get(names[names.length - 1] ?? 'none');
  const value = newest === null ? null : decodeCbor(newest, 4096);
  return Array.isArray(value) && value[3] === false;
}

/** Every sealing seed that a thief of this store finds. */
async function seedsIn(store: DeviceStore): Promise<Uint8Array[]> {
  const found: unknown[] = [];
  for (const name of ['identity', ...(await store.keys.names('sealing/'))]) {
    const value = decodeCbor((await store.keys.get(name)) as Uint8Array, 200_000);
    if (Array.isArray(value)) found.push(...(value as unknown[]));
  }
  return found.filter((part): part is Uint8Array => part instanceof Uint8Array && part.length === 32);
}

/** The announced epochs whose box for this device one of the seeds opens. */
function openedBy(seeds: readonly Uint8Array[], device: string): number[] {
  const keys = seeds.map((seed) => primitives.decapsulator(seed));
  return announced.flatMap(({ statement, boxes }) => {
    const box = boxes.find((one) => one.device === device)?.box;
    const context = concatBytes(statement.hash, idBytes(device as Parameters<typeof idBytes>[0]));
    const opens = keys.some((key) => {
      try {
        return box !== undefined && openBox(primitives, key, context, box).length === 32;
      } catch {
        return false;
      }
    });
    return opens ? [statement.epoch] : [];
  });
}

beforeAll(async () => {
  hostile = await hostileRelay({
    target: async (publicUrl) => {
      relay = await startRelay({ database: memoryDatabase(), port: 0, publicUrl, clock, log: () => {} });
      return relay.url;
    },
  });
  listen();
  const founding = { relayUrl: hostile.url, handle: 'ada', policy };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }));
  const link = await ada.client.invite();
  bo = await people.enters((entered) => join({ ...entered, link, handle: 'bo' }));
});
afterAll(async () => {
  await people.close();
  await hostile?.close();
  await relay?.close();
});

/** Notes every epoch that is announced. */
function listen(): void {
  hostile.attack({
    toRelay(frame) {
      if (frame.type === 'announce')
        announced.push({ statement: parseEpochStatement(primitives, frame.statement), boxes: frame.boxes });
      return [frame];
    },
  });
}

test('each block has its key, published before the one before has ended', async () => {
  const counts = new Set<number>();
  for (let hour = 1; hour <= 9; hour += 1) {
    await says(ada, `hour ${hour}`);
    await hears(bo, `hour ${hour}`);
    await hours(1);
    await hasKey(bo);
    counts.add((await seedsIn(bo.store)).length);
  }
  // Everything was read, and is gone where X is over.
  expect(reasonsOf(bo)).toEqual(new Set(['expired-by-policy']));
  expect(textsOf(bo)).toEqual(expect.arrayContaining(['hour 6', 'hour 9']));
  expect(announced.length).toBeGreaterThan(7);
  expect(new Set(announced.map(({ boxes }) => boxes.length))).toEqual(new Set([2]));
  // The signing seed, and the sealing seeds of three blocks at most.
  expect(Math.max(...counts)).toBeLessThanOrEqual(5);
});

test('what a thief finds opens nothing that is older than X, nor what is younger and was opened long ago', async () => {
  const opened = openedBy(await seedsIn(bo.store), bo.client.device);
  const nowMs = clock.now();
  const ends = (epoch: number) =>
    announced.find(({ statement }) => statement.epoch === epoch)?.statement.blockEndMs;
  for (const epoch of opened) expect(ends(epoch)).toBeGreaterThan(nowMs - 3 * HOUR_MS);
  expect(announced.some(({ statement }) => statement.blockEndMs < nowMs - 6 * HOUR_MS)).toBe(true);
});

test('a copy of the store from before opens what it could then, and what is left opens it no more', async () => {
  await says(ada, 'for the copy');
  await hears(bo, 'for the copy');
  const newest = announced[announced.length - 1]?.statement.epoch as number;
  const copy = await seedsIn(bo.store);
  expect(openedBy(copy, bo.client.device)).toContain(newest);
  await hours(2);
  await hours(2);
  await expect
    .poll(async () => openedBy(await seedsIn(bo.store), bo.client.device), PATIENCE)
    .not.toContain(newest);
  expect(openedBy(copy, bo.client.device)).toContain(newest);
});

test('who was away for some blocks opens everything that could be sealed to it, and is told of the rest', async () => {
  await hasKey(bo);
  await says(ada, 'before');
  await hears(bo, 'before');
  await people.leaves(bo);
  for (const text of ['the same block', 'one later', 'two later', 'three later', 'four later']) {
    await says(ada, text);
    await hours(1);
  }
  await people.returns(bo);
  await hears(bo, 'one later');
  await expect.poll(() => reasonsOf(bo), PATIENCE).toContain('sealing-key-expired');
  // What was written more than X ago is over for bo, who has closed and opened the app since.
  expect(reasonsOf(bo)).toEqual(new Set(['expired-by-policy', 'sealing-key-expired']));
  const silent = announced.filter(({ boxes }) => boxes.length === 1);
  expect(silent.length).toBeGreaterThan(0);

  // A key is published at login, and the next epoch is for bo again.
  await hasKey(bo);
  await says(bo, 'I am back');
  await hears(ada, 'I am back');
  await hours(1);
  await says(ada, 'welcome back');
  await hears(bo, 'welcome back');
});

test('a device that is away longer than everything can have lasted has no secret left that opens a box', async () => {
  await people.leaves(bo);
  await hours(12);
  const kept = openedBy(await seedsIn(bo.store), bo.client.device);
  expect(kept.length).toBeGreaterThan(0);
  await people.returns(bo);
  await expect.poll(async () => openedBy(await seedsIn(bo.store), bo.client.device), PATIENCE).toEqual([]);
});

test('a relay that withholds new records gets boxes for a key that is in its grace, and then none', async () => {
  await hasKey(bo);
  await hours(1);
  await says(ada, 'as it should be');
  await hears(bo, 'as it should be');
  const relent = hostile.attack({
    victim: ada.client.device,
    async call(call, forward) {
      const answer = await forward(call);
      if (call.method !== 'GET' || !call.path.includes('/sealing-records')) return answer;
      // It also says that the list has gone far on, so that what comes later is not asked for.
      const next = Number(call.path.split('after=')[1]) + 1_000_000;
      return { status: 200, body: { records: [], next, more: false } };
    },
  });
  const boxed: boolean[] = [];
  for (let hour = 1; hour <= 4; hour += 1) {
    await hours(1);
    await hasKey(bo);
    const before = announced.length;
    void ada.client.collections.chat.append({ text: `withheld ${hour}` }).catch(() => {});
    await expect.poll(() => announced.length, PATIENCE).toBeGreaterThan(before);
    const newest = announced[announced.length - 1];
    boxed.push(newest?.boxes.some(({ device }) => device === bo.client.device) ?? false);
  }
  // In its grace, and then not at all: never to another key.
  expect(boxed[0]).toBe(true);
  expect(boxed[3]).toBe(false);
  expect(reasonsOf(bo)).not.toContain('tampered');
  relent();
  await says(ada, 'shown again');
  await hears(bo, 'shown again');
});

test('a device whose answer was lost publishes the same key again, and opens what was sealed to it meanwhile', async () => {
  await hasKey(bo);
  let isLost = true;
  const relent = hostile.attack({
    victim: bo.client.device,
    async call(call, forward) {
      const answer = await forward(call);
      const isRecord = call.method === 'POST' && call.path.endsWith('/sealing-records');
      return isRecord && isLost ? { status: 503, body: { code: 'unavailable', message: 'lost' } } : answer;
    },
  });
  await hours(1);
  await expect.poll(() => waiting(bo), PATIENCE).toBe(true);
  clock.leap(10_000);
  await says(ada, 'sealed to a key that is not confirmed');
  await hears(bo, 'sealed to a key that is not confirmed');
  expect(await waiting(bo)).toBe(true);
  // Also when the process ends before it knows.
  await people.leaves(bo);
  isLost = false;
  await people.returns(bo);
  await hasKey(bo);
  relent();
  await says(ada, 'confirmed');
  await hears(bo, 'confirmed');
});

test('a device whose clock was set back keeps its keys, and publishes again once the clock is right', async () => {
  await people.leaves(bo);
  let aheadMs = -5 * HOUR_MS;
  const ports = clock.ports(() => aheadMs);
  await people.returns(bo, ports);
  const before = await bo.store.keys.names('sealing/');
  await says(ada, 'for a slow clock');
  await hears(bo, 'for a slow clock');
  await hours(1);
  expect(await bo.store.keys.names('sealing/')).toEqual(before);
  aheadMs = 0;
  await hours(1);
  await hasKey(bo);
  await hours(1);
  await hasKey(bo);
  await says(ada, 'for a clock that was put right');
  await hears(bo, 'for a clock that was put right');
});
