import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPglite, openPostgres } from './databases.ts';
import type { DeviceProcess } from './device-process.ts';
import { logOfDevice, logOfRelay } from './group-log.ts';
import { contradictions } from './history.ts';
import { createSchedule, type Schedule } from './schedule.ts';
import { createWorld, settle, type World } from './world.ts';

/** Who dies in a round, in turn. */
const VICTIMS = ['relay', 'both', 'device', 'relay', 'device while the relay is dead'] as const;

/** The gate takes a part of the rounds; everybody dies as often as the others. */
const SHARE = Number(process.env['KEYTIDE_FAULTS_SHARE'] ?? 1);
const turns = (all: number): number => VICTIMS.length * Math.ceil(all * SHARE);

const databases = [
  { name: 'PGlite', open: openPglite, rounds: turns(5) }, // each start takes a second or two
  { name: 'PostgreSQL', open: openPostgres, rounds: turns(8) },
];

describe.each(databases)('a relay on $name and three devices that write', ({ name, rounds, open }) => {
  const schedule = createSchedule(name);
  let world: World;

  beforeAll(async () => {
    world = await createWorld({ open, schedule, handles: ['ada', 'bo', 'cy'] });
  });

  afterAll(() => world?.remove());

  test('lose nothing and repeat nothing when any of them is killed at any moment', async () => {
    const { relay, writers, history } = world;
    const startedMs = Date.now();
    for (const writer of writers) {
      writer.start();
      await writer.opened();
      const first = writer.nextDurable();
      writeABit(writer, schedule);
      await first;
    }
    for (let round = 0; round < rounds; round += 1) await killAndRestart(world, round);

    const reports = await settle(world);
    await relay.kill();
    const log = await logOfRelay(relay.database, world.org);
    const kills = writers.reduce((sum, writer) => sum + writer.kills, 0);
    const seconds = Math.round((Date.now() - startedMs) / 1000);
    const entries = `${history.durable.size} acknowledged of ${log.entries.length} entries`;
    console.log(`${name}: ${relay.kills} kills of the relay, ${kills} of devices, ${entries}, ${seconds} s`);

    expect(log.seqs).toEqual(log.seqs.map((_, index) => index + 1));
    expect(new Set(log.entries).size).toBe(log.entries.length);
    const { items, records } = reports.get('reader') ?? { items: [], records: [] };
    for (const [handle, report] of reports) {
      expect(contradictions(history, report.items), handle).toEqual([]);
      expect(report, handle).toMatchObject({ unreadable: [], diverged: false, waiting: 0, state: 'online' });
      expect(report.items, handle).toHaveLength(items.length);
      expect(report.records, handle).toEqual(records);
    }
    for (const { home } of [...writers, world.reader]) expect(await logOfDevice(home)).toEqual(log.entries);
    expect(history.durable.size).toBeGreaterThan(10 * rounds);
    expect(relay.kills).toBeGreaterThanOrEqual(0.8 * rounds);
    expect(kills).toBeGreaterThanOrEqual(0.6 * rounds);
  });
});

function writeABit(device: DeviceProcess, schedule: Schedule): void {
  device.write(device.handle === 'cy' ? 'import' : 'chat', Math.ceil(schedule.anyScale(1, 30)));
}

/** One round: everybody writes; at a moment of its own kind the relay or a device or both die, and come back. */
async function killAndRestart({ relay, writers, schedule }: World, round: number): Promise<void> {
  const victims = VICTIMS[round % VICTIMS.length];
  const device = schedule.pick(writers);
  const [killsRelay, killsDevice] = [victims !== 'device', victims !== 'relay'];
  const moment = schedule.pick(['writing', 'writing', 'any time', 'starting'] as const);
  const delayMs = schedule.anyScale(0.01, moment === 'any time' ? 1000 : 100);
  const restart = (): void => {
    if (killsRelay) relay.start();
    if (killsDevice) device.start();
  };

  // Some rounds begin while devices are still coming back, and find them writing without a relay.
  if (schedule.between(0, 1) < 0.7) await Promise.all(writers.map((writer) => writer.finish()));
  const acknowledged = schedule.pick(writers).nextDurable();
  for (const writer of writers) writeABit(writer, schedule);
  if (moment === 'writing') await Promise.race([acknowledged, sleep(2000)]);
  await sleep(delayMs);
  if (killsRelay) await relay.kill();
  if (victims === 'device while the relay is dead') await sleep(schedule.between(0, 150));
  if (killsDevice) await device.kill();

  restart();
  if (moment === 'starting') {
    await sleep(schedule.anyScale(1, 1500));
    if (killsRelay) await relay.kill();
    if (killsDevice) await device.kill();
    restart();
  }
  if (killsRelay) await relay.listening();
  if (killsDevice) await device.opened();
}
