import { setTimeout as sleep } from 'node:timers/promises';
import { holdTable } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgres } from './databases.ts';
import type { DeviceProcess } from './device-process.ts';
import { logOfRelay } from './group-log.ts';
import { contradictions } from './history.ts';
import { createSchedule } from './schedule.ts';
import { createWorld, settle, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld({
    open: openPostgres,
    schedule: createSchedule('late commit'),
    handles: ['ada'],
    blockSeconds: 86_400,
  });
});

afterAll(() => world?.remove());

test('what PostgreSQL commits for a relay that is dead by then is stored once', async () => {
  const { relay, history } = world;
  const [ada] = world.writers as [DeviceProcess];
  if (relay.database.kind !== 'postgres') throw new Error('not PostgreSQL');
  ada.start();
  ada.write('chat', 1);
  await ada.finish();

  const groups = await holdTable(String(relay.database.url), 'groups');
  const waiting = async (count: number): Promise<void> => {
    while ((await groups.waiting()) < count) await sleep(10);
  };
  ada.write('import', 5);
  await waiting(1);
  await Promise.all([relay.kill(), ada.kill()]);
  relay.start();
  ada.start();
  // The new relay has nothing of it in the log, so the device sends it again behind the old relay's statement.
  await waiting(2);
  await groups.release();

  const reports = await settle(world);
  await relay.kill();
  const { entries } = await logOfRelay(relay.database, world.org);
  // Statements are not counted: midnight may pass, and a block of a day with it.
  expect(entries.filter((entry) => entry.startsWith('00'))).toHaveLength(1 + 5);
  for (const [handle, report] of reports) {
    expect(contradictions(history, report.items), handle).toEqual([]);
    expect(report, handle).toMatchObject({ unreadable: [], diverged: false, waiting: 0, state: 'online' });
  }
});
