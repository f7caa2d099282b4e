import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { comparedRow, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { openLoad, type Target } from './load.ts';
import type { Field } from './field.ts';
import { makeGroups, startRelayProcess } from './keytide.ts';
import { residentBytesOf } from './processor.ts';

/** Sockets in each group, one of which publishes. A device may have several. */
const GROUP = 100;
const GOAL_BYTES = 12_000;
/** Until what connecting needed is given back. */
const SETTLE_MS = 2_000;

/** What a device that says nothing costs: logged in, subscribed, up to date. */
export async function benchIdle({ postgres }: Field, { quick, note }: BenchOptions): Promise<Row[]> {
  const count = quick ? 2_000 : 10_000;
  note(`${count.toLocaleString('en')} idle connections`);
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-key-'));
  const url = await postgres.createDatabase('idle');
  const database = { kind: 'postgres', url, keyFile: join(folder, 'relay-key') } as const;
  const relay = await startRelayProcess({ database, limits: { sockets: count + GROUP } });
  try {
    const target = async (): Promise<Target> => {
      const groups = await makeGroups(relay, { groups: 1, listeners: 4 });
      return { kind: 'keytide', urls: [relay.url], groups };
    };
    // Warm, so that what every relay has is not counted as a connection's. In a group of its own: the other is empty.
    const warm = await openLoad(await target(), { groups: 1, listeners: GROUP });
    await warm.run({ kind: 'flood', count: 200, groupsUsed: 1, window: 8 });
    await warm.close();
    const held = async (): Promise<number> => {
      await sleep(SETTLE_MS);
      await relay.collect();
      return residentBytesOf(relay.pid);
    };
    const idle = await target();
    const before = await held();
    const load = await openLoad(idle, { groups: 1, listeners: count - 1 });
    const each = ((await held()) - before) / count;
    await load.close();
    const row = plainRow({ bench: 'relay', work: 'idle connections', n: count, unit: 'bytes each' }, [each]);
    return [comparedRow(row, `${GOAL_BYTES / 1000} KB`, GOAL_BYTES / each, 1)];
  } finally {
    await relay.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
