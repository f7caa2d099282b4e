import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgres } from './databases.ts';
import { createDeviceProcess, type DeviceProcess } from './device-process.ts';
import { contradictions, emptyHistory } from './history.ts';
import { createSchedule } from './schedule.ts';
import { createWorld, type World } from './world.ts';

/** Steps from an empty folder to the first message in the log, a few more than there are. */
const STEPS = 72;
/** The gate takes a part of all. */
const SHARE = Number(process.env['KEYTIDE_FAULTS_SHARE'] ?? 1);
const JOINERS = Math.max(4, Math.ceil(10 * SHARE));
const FOUNDERS = Math.max(2, Math.ceil(4 * SHARE));
const PATIENT = 3;

const schedule = createSchedule('enrolment');
let world: World;
let ada: DeviceProcess;

beforeAll(async () => {
  world = await createWorld({ open: openPostgres, schedule, handles: ['ada'] });
  [ada] = world.writers as [DeviceProcess];
  ada.start();
  await ada.opened();
});

afterAll(() => world?.remove());

/**
 * One life that enters and writes one line, and is over at step `crashAt` where it gets that far.
 * Whether it was killed.
 */
async function liveUntil(device: DeviceProcess, crashAt: number): Promise<boolean> {
  const child = device.start({ crashAt, enterAgain: true });
  device.write('chat', 1);
  const whole = device.finish().then(() => device.close());
  await Promise.race([whole.catch(() => {}), child.exited]);
  const code = await child.exited;
  if (code !== null) await whole;
  return code === null;
}

async function liveToTheEnd(device: DeviceProcess) {
  device.start({ enterAgain: true });
  device.write('chat', 1);
  const report = await device.report(await device.finish());
  await device.close();
  return report;
}

/** From early to late, one in each equal part of the way, so that every run covers all of it. */
const stepOf = (index: number, count: number): number =>
  1 + Math.floor(((index + schedule.between(0, 1)) * STEPS) / count);

test('a device killed while it joins joins when it is started again: no invite is lost', async () => {
  let kills = 0;
  for (let index = 0; index < JOINERS; index += 1) {
    const joiner = world.device(`joiner${index}`, await ada.invite());
    kills += Number(await liveUntil(joiner, stepOf(index, JOINERS)));
    kills += Number(await liveUntil(joiner, stepOf(JOINERS - 1 - index, JOINERS)));
    const report = await liveToTheEnd(joiner);
    expect(report, joiner.handle).toMatchObject({ waiting: 0, state: 'online', diverged: false });
    // A second life of the same join is the same member with the same device.
    expect(report.members).toContain(`${joiner.handle} 1`);
  }
  console.log(`joining: ${kills} kills`);
  expect(kills).toBeGreaterThan(JOINERS);
});

test('a device killed while it founds an organisation founds one', async () => {
  for (let index = 0; index < FOUNDERS; index += 1) {
    const history = emptyHistory();
    const handle = `founder${index}`;
    const founder = createDeviceProcess({
      ...{ folder: world.folder, schedule, history, handle },
      enter: 'create',
      at: world.relay.url,
    });
    await liveUntil(founder, stepOf(index, FOUNDERS));
    await liveUntil(founder, stepOf(FOUNDERS - 1 - index, FOUNDERS));
    const report = await liveToTheEnd(founder);
    expect(contradictions(history, report.items)).toEqual([]);
    expect(report).toMatchObject({ members: [`${handle} 1`], waiting: 0, unreadable: [], state: 'online' });
  }
});

test('a join goes on when the relay is killed and comes back', async () => {
  for (let index = 0; index < PATIENT; index += 1) {
    const joiner = world.device(`patient${index}`, await ada.invite());
    joiner.start();
    joiner.write('chat', 1);
    await sleep(schedule.between(200, 1200));
    await world.relay.kill();
    world.relay.start();
    await world.relay.listening();
    await joiner.opened();
    expect(await joiner.report(await joiner.finish())).toMatchObject({ waiting: 0, state: 'online' });
    await joiner.close();
  }
});

test('everybody who was there all along agrees with all of them', async () => {
  ada.write('chat', 1);
  const { items, members, unreadable, diverged } = await ada.report(await ada.finish());
  expect(contradictions(world.history, items)).toEqual([]);
  expect({ unreadable, diverged }).toEqual({ unreadable: [], diverged: false });
  const joiners = Array.from({ length: JOINERS }, (_, index) => `joiner${index} 1`);
  const patient = Array.from({ length: PATIENT }, (_, index) => `patient${index} 1`);
  expect(members.toSorted()).toEqual([...joiners, ...patient, 'ada 1', 'reader 1'].toSorted());
});
