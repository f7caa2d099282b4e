import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Measured, Task } from './directory/device-main.ts';
import { growthRows } from './directory/growth.ts';
import { LogFile } from './directory/log-file.ts';
import { Organisation } from './directory/organisation.ts';
import { WARM_UPS } from './directory/relay-days.ts';
import { sizeRows, type SizedMeasured } from './directory/size-rows.ts';
import { installPeers } from './peers.ts';
import { plainRow, type BenchOptions, type Row } from './rows.ts';

const SIZES = [100, 10_000, 100_000];
/** On a day, an entry for so many devices. */
const DEVICES_PER_CHANGE = 250;
const MAIN = fileURLToPath(new URL('directory/device-main.ts', import.meta.url));

/**
 * A directory that nobody has to trust, at three sizes: what a lookup and a day's changes cost, and how that grows.
 * One log is signed, with fresh keys; the sizes are its beginnings, and what comes after each is its days.
 */
export async function* benchDirectory({ quick, note }: BenchOptions): AsyncGenerator<Row[]> {
  installPeers();
  const folder = await mkdtemp(join(tmpdir(), 'keytide-bench-'));
  try {
    const path = join(folder, 'log');
    const log = new LogFile(path);
    const organisation = new Organisation((wire) => log.append(wire));
    const days = WARM_UPS + (quick ? 3 : 5);
    const all: SizedMeasured[] = [];
    for (const devices of quick ? SIZES.slice(0, 2) : SIZES) {
      const dayEntries = Math.max(4, devices / DEVICES_PER_CHANGE);
      const { entries, row } = signUpTo(organisation, devices, days * dayEntries, note);
      log.flush();
      const place = join(folder, `relay-${devices}`);
      const task = { path, secrets: organisation.secrets, entries, dayEntries, days, folder: place };
      const measured = await measureApart({ ...task, replays: devices === 100 ? 5 : 1 }, (text) =>
        note(`${devices.toLocaleString('en')} devices: ${text}`),
      );
      await rm(place, { recursive: true, force: true });
      all.push({ devices, entries, dayEntries, ...measured });
      yield [...(row === null ? [] : [row]), ...sizeRows(all.at(-1) as SizedMeasured)];
    }
    log.close();
    yield growthRows(all);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Until there are so many devices, and `more` entries; where there were so many, and how fast it went. */
function signUpTo(
  organisation: Organisation,
  devices: number,
  more: number,
  note: (text: string) => void,
): { entries: number; row: Row | null } {
  note(`${devices.toLocaleString('en')} devices: signing the log`);
  const before = organisation.size;
  const start = performance.now();
  let told = start;
  while (organisation.activeDevices < devices) {
    organisation.grow();
    if (performance.now() - told < 10_000) continue;
    told = performance.now();
    note(`  ${organisation.activeDevices.toLocaleString('en')}`);
  }
  const entries = organisation.size;
  const rate = (entries - before) / ((performance.now() - start) / 1000);
  while (organisation.size < entries + more) organisation.grow();
  const work = { bench: 'directory', work: 'sign the log', n: entries - before, unit: 'entries/s' };
  return { entries, row: devices === 100 ? null : plainRow(work, [rate]) };
}

async function measureApart(task: Task, note: (text: string) => void): Promise<Measured> {
  const child = fork(MAIN, [], { execArgv: ['--expose-gc', '--max-old-space-size=6144'] });
  const ended = once(child, 'exit');
  child.send(task);
  let measured: Measured | null = null;
  child.on('message', (message: { note?: string; measured?: Measured }) => {
    if (message.note !== undefined) note(message.note);
    measured = message.measured ?? measured;
  });
  const [code] = await ended;
  if (measured === null) throw new Error(`the process that measures ended with ${code}`);
  return measured;
}
