import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceId, groupId, orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { fakeClock, folderDatabase, seededRandom } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { watchClock, type Doubt } from '../src/clock-watch.ts';
import { dataKeyPath, openDataKeyFile } from '../src/data-key-file.ts';
import { createDayKeys } from '../src/day-keys.ts';
import { createGroupLogs } from '../src/group-logs.ts';
import { openStore } from '../src/sql/open.ts';
import { relayUnderTest } from './relay-under-test.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2030, 0, 1, 12);
const TODAY = Math.floor(START_MS / DAY_MS);

/** A machine with two clocks, and a relay on it that filed something that day last. */
function machine(newest: number | null = TODAY) {
  let [wallMs, up] = [START_MS, 5 * DAY_MS];
  let doubt: Doubt = { leftMs: 0, seenDay: null };
  let isDown = false;
  const started = () =>
    watchClock({
      clock: { now: () => wallMs },
      upMs: () => up,
      newestDay: () => Promise.resolve(newest),
      doubt: {
        read: () => Promise.resolve(doubt),
        write: (next) => (isDown ? Promise.reject(new Error('down')) : Promise.resolve(void (doubt = next))),
      },
    });
  let mayForget = started();
  return {
    mayForget: () => mayForget(),
    restart: () => void (mayForget = started()),
    reboot: () => void (up = 0),
    breakDatabase: (broken: boolean) => void (isDown = broken),
    wait: (ms: number) => void ([wallMs, up] = [wallMs + ms, up + ms]),
    set: (ms: number) => void (wallMs += ms),
  };
}

test('a clock that goes as time does is good, however long nobody looked', async () => {
  const { mayForget, wait } = machine();
  for (const ms of [0, HOUR_MS, 30 * DAY_MS, HOUR_MS]) {
    wait(ms);
    expect(await mayForget()).toBe(true);
  }
});

test('by a clock that was set ahead nothing is forgotten for a day', async () => {
  const { mayForget, wait, set } = machine();
  expect(await mayForget()).toBe(true);
  set(365 * DAY_MS);
  wait(HOUR_MS);
  expect(await mayForget()).toBe(false);
  wait(DAY_MS - 1);
  expect(await mayForget()).toBe(false);
  wait(1);
  expect(await mayForget()).toBe(true);
});

test('a clock that is put right by less than an hour, or back, is good', async () => {
  const { mayForget, set } = machine();
  expect(await mayForget()).toBe(true);
  set(HOUR_MS);
  expect(await mayForget()).toBe(true);
  set(-2 * DAY_MS);
  expect(await mayForget()).toBe(true);
});

test('a restart within the day does not end the doubt, and neither does another start of the machine', async () => {
  const { mayForget, wait, set, restart, reboot } = machine();
  expect(await mayForget()).toBe(true);
  set(2 * DAY_MS);
  expect(await mayForget()).toBe(false);
  for (let hours = 0; hours < 24; hours += 6) {
    restart();
    // Nobody knows for how long the relay was away.
    set(DAY_MS / 2);
    if (hours === 12) reboot();
    expect(await mayForget()).toBe(false);
    wait(6 * HOUR_MS - 1);
    expect(await mayForget()).toBe(false);
    wait(1);
    expect(await mayForget()).toBe(hours === 18);
  }
  restart();
  expect(await mayForget()).toBe(true);
});

test('a doubt that could not be written down is found again', async () => {
  const { mayForget, wait, set, breakDatabase } = machine();
  expect(await mayForget()).toBe(true);
  set(DAY_MS);
  breakDatabase(true);
  await expect(mayForget()).rejects.toThrow('down');
  breakDatabase(false);
  expect(await mayForget()).toBe(false);
  wait(DAY_MS - 1);
  expect(await mayForget()).toBe(false);
});

test('of two nodes that doubt, the longer doubt is the one that a restart finds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-clock-'));
  const database = folderDatabase(folder);
  const opened = await openStore(database, primitives, 0);
  const { clockDoubt: doubt } = opened;
  expect(await doubt.read()).toEqual({ leftMs: 0, seenDay: null });
  await doubt.write({ leftMs: DAY_MS, seenDay: TODAY }, 0);
  // One that heard of a shorter one before, and goes on with that.
  await doubt.write({ leftMs: HOUR_MS, seenDay: 0 }, 2 * HOUR_MS);
  expect(await doubt.read()).toEqual({ leftMs: DAY_MS, seenDay: TODAY });
  await doubt.write({ leftMs: DAY_MS - 1, seenDay: TODAY + 1 }, DAY_MS);
  await opened.store.close();
  const again = await openStore(database, primitives, 0);
  expect(await again.clockDoubt.read()).toEqual({ leftMs: DAY_MS - 1, seenDay: TODAY + 1 });
  await again.store.close();
  await rm(folder, { recursive: true });
});

test('a relay that is given no clock watches that of the machine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-clock-'));
  const database = folderDatabase(folder);
  const random = seededRandom('clock watch');
  const { store } = await openStore(database, primitives, 0);
  const wrapper = await openDataKeyFile(dataKeyPath(database), random, true);
  const keys = createDayKeys({ store, wrapper, random });
  const clock = fakeClock(Date.UTC(2020, 0, 1));
  const retentionOf = () => Promise.resolve({ exportSeconds: 86_400 });
  const logs = createGroupLogs({ store, keys, primitives, random, clock, retentionOf });
  const [org, group] = [orgId(random(32)), groupId(random(32))];
  const boxes = [{ device: deviceId(random(32)), box: random(9) }];
  await logs.announceEpoch({ org, group, epoch: 1, messageId: random(16), statement: random(9), boxes });
  await store.close();
  const relay = await relayUnderTest({ database });
  expect(await relay.forget()).toBe(false);
  expect(relay.events).toContainEqual({ event: 'failed', where: 'forget-logs', code: 'clock-ahead' });
  await relay.close();
  // So that the next start knows of it.
  const between = await openStore(database, primitives, 0);
  expect(await between.clockDoubt.read()).toMatchObject({ leftMs: DAY_MS });
  await between.store.close();
  await rm(folder, { recursive: true });
});

test('a relay that starts a week or more after what was filed last waits for a day', async () => {
  expect(await machine(TODAY - 7).mayForget()).toBe(true);
  expect(await machine(null).mayForget()).toBe(true);
  const { mayForget, wait } = machine(TODAY - 8);
  expect(await mayForget()).toBe(false);
  wait(DAY_MS);
  expect(await mayForget()).toBe(true);
});

test('a relay that starts each day, and of which nobody writes, waits for a day as well, and not for ever', async () => {
  const { mayForget, wait, restart } = machine(TODAY - 8);
  const seen: boolean[] = [];
  for (let hour = 0; hour < 7 * 20; hour += 1) {
    if (hour % 20 === 0) restart();
    seen.push(await mayForget());
    wait(HOUR_MS);
  }
  // Between the last look of a run and the first of the next one nobody watched.
  expect(seen.indexOf(true)).toBe(25);
  expect(seen.lastIndexOf(false)).toBe(24);
});

test('a start of a clock that is a week ahead of what it was watched at waits for the whole day again', async () => {
  const { mayForget, wait, set, restart } = machine(TODAY - 8);
  expect(await mayForget()).toBe(false);
  wait(23 * HOUR_MS);
  expect(await mayForget()).toBe(false);
  set(9 * DAY_MS);
  restart();
  expect(await mayForget()).toBe(false);
  wait(DAY_MS - 1);
  expect(await mayForget()).toBe(false);
  wait(1);
  expect(await mayForget()).toBe(true);
  // What was accepted, and then put right, is not accepted once more.
  set(-9 * DAY_MS);
  expect(await mayForget()).toBe(true);
  set(9 * DAY_MS);
  restart();
  expect(await mayForget()).toBe(false);
});
