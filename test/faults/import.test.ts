import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgres } from './databases.ts';
import type { DeviceProcess } from './device-process.ts';
import { contradictions } from './history.ts';
import { createSchedule } from './schedule.ts';
import { createWorld, settle, type World } from './world.ts';

const KILLS = 6;
const RECORDS = 1000;

const schedule = createSchedule('import');
let world: World;

beforeAll(async () => {
  world = await createWorld({ open: openPostgres, schedule, handles: ['ada'] });
});

afterAll(() => world?.remove());

test('a device killed while it imports keeps what it acknowledged, in order and once', async () => {
  const { relay, history } = world;
  const [ada] = world.writers as [DeviceProcess];
  for (let round = 0; round < KILLS; round += 1) {
    ada.start();
    await ada.opened();
    const first = ada.nextDurable();
    ada.write('import', RECORDS);
    await first;
    await sleep(schedule.anyScale(0.1, 500));
    if (round % 3 === 2) await relay.kill();
    await ada.kill();
    if (round % 3 !== 2) continue;
    relay.start();
    await relay.listening();
  }
  ada.start();
  ada.write('import', RECORDS);

  const reports = await settle(world);
  const kept = reports.get('ada')?.items.length ?? 0;
  console.log(`import: ${KILLS} kills, ${history.durable.size} acknowledged of ${kept} records`);
  for (const [handle, report] of reports) {
    expect(contradictions(history, report.items), handle).toEqual([]);
    expect(report, handle).toMatchObject({ unreadable: [], diverged: false, waiting: 0, state: 'online' });
    expect(report.records, handle).toHaveLength(kept);
  }
  expect(history.durable.size).toBeGreaterThan(RECORDS);
  expect(kept).toBeLessThan((KILLS + 1) * RECORDS);
});
