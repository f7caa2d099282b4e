import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChildren } from './child.ts';
import type { TestDatabase } from './databases.ts';
import { createDeviceProcess, type DeviceProcess } from './device-process.ts';
import { emptyHistory, type History } from './history.ts';
import type { Report } from './life.ts';
import { createRelayProcess, type RelayProcess } from './relay-process.ts';
import type { Schedule } from './schedule.ts';

/** A relay, its devices and what they have said. */
export interface World {
  readonly folder: string;
  readonly org: string;
  readonly relay: RelayProcess;
  readonly schedule: Schedule;
  readonly history: History;
  /** The first one founded the organisation. */
  readonly writers: readonly DeviceProcess[];
  /** A device that joined before the first message, and has not been online since. */
  readonly reader: DeviceProcess;
  device(handle: string, link: string): DeviceProcess;
  /** Ends every process and removes every file. */
  remove(): Promise<void>;
}

/** What a world is made of. `handles`: the devices that write. */
export interface WorldOptions {
  readonly open: () => Promise<TestDatabase>;
  readonly schedule: Schedule;
  readonly handles: readonly [string, ...string[]];
  readonly blockSeconds?: number;
}

/** Makes an organisation on a relay that listens then. No device lives, and nothing has been written. */
export async function createWorld({ open, schedule, handles, ...options }: WorldOptions): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-faults-'));
  let opened: TestDatabase | null = null;
  const remove = async (): Promise<void> => {
    await endChildren();
    await opened?.remove();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    opened = await open();
    const relay = await createRelayProcess(opened.database);
    relay.start();
    await relay.listening();
    const history = emptyHistory();
    const shared = { folder, schedule, history };
    const device = (handle: string, link: string): DeviceProcess =>
      createDeviceProcess({ ...shared, handle, enter: 'join', at: link });
    const [first, ...others] = handles;
    const founder = createDeviceProcess({
      ...{ ...shared, ...options, handle: first },
      enter: 'create',
      at: relay.url,
    });
    founder.start();
    const org = await founder.opened();
    const joined: DeviceProcess[] = [];
    for (const handle of [...others, 'reader']) {
      const newcomer = device(handle, await founder.invite());
      newcomer.start();
      await newcomer.opened();
      joined.push(newcomer);
    }
    for (const member of [founder, ...joined]) await member.close();
    const reader = joined.pop() as DeviceProcess;
    return { folder, org, relay, schedule, history, writers: [founder, ...joined], reader, device, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Lets everybody finish; what each device, the reader included, holds then. */
export async function settle({ writers, reader }: World): Promise<Map<string, Report>> {
  const newest = Math.max(...(await Promise.all(writers.map((writer) => writer.finish()))));
  reader.start();
  await reader.opened();
  const reports = new Map<string, Report>();
  for (const device of [...writers, reader]) reports.set(device.handle, await device.report(newest));
  for (const device of [...writers, reader]) await device.close();
  return reports;
}
