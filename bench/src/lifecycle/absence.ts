import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createOrganisation, join, memoryDeviceStore } from '@keytide/client';
import { plainRow, type BenchOptions, type Row } from '../rows.ts';
import { definition, leapingPorts, type App } from './definition.ts';
import type { Seen, Task } from './reader-main.ts';

const DAYS = 30;
const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1000;
const WRITERS = 5;
const TEXT = 'x'.repeat(1_000);
/** A block is a day; keys go on reaching the one who is away, and everything that was written can still be read. */
const policy = {
  blockSeconds: DAY_SECONDS,
  retentionSeconds: 60 * DAY_SECONDS,
  exportSeconds: 60 * DAY_SECONDS,
  silenceSeconds: (DAYS + 2) * DAY_SECONDS,
};

/** A device that comes back after a month, and one that opens what it has stored. */
export async function benchAbsence({ quick, note }: BenchOptions): Promise<Row[]> {
  const [perDay, stored] = quick ? [50, 5_000] : [334, 100_000];
  const waiting = WRITERS + DAYS * perDay;
  const folder = await mkdtemp(joinPath(tmpdir(), 'keytide-absence-'));
  const relay = start('relay-main.ts', joinPath(folder, 'relay'));
  const reader = (task: string | Task): Promise<Seen> => readApart(joinPath(folder, 'reader'), task);
  const writers: App[] = [];
  try {
    const { url } = await answer<{ url: string }>(relay);
    const { ports, leap } = leapingPorts();
    const options = () => ({ definition, ports, store: memoryDeviceStore() });
    const founder = await createOrganisation({ ...options(), relayUrl: url, handle: 'writer 0', policy });
    writers.push(founder);
    while (writers.length < WRITERS)
      writers.push(
        await join({ ...options(), link: await founder.invite(), handle: `writer ${writers.length}` }),
      );
    await reader(await founder.invite());
    // Whoever has a key can write from now on, connected or not.
    await write(writers, WRITERS);

    note(`${waiting.toLocaleString('en')} messages in ${DAYS} days`);
    for (let day = 1; day <= DAYS; day += 1) {
      leap(DAY_MS);
      relay.send(DAY_MS);
      await answer(relay);
      await write(writers, perDay);
    }
    const task = { leapMs: DAYS * DAY_MS, isAlone: false, messages: waiting };
    const back = await reader(task);

    note(`${stored.toLocaleString('en')} stored messages`);
    for (const writer of writers.splice(1)) await writer.close();
    await write(writers, stored - waiting);
    await reader({ ...task, messages: stored });
    const alone = await reader({ ...task, isAlone: true, messages: stored });
    return [
      ...rowsOf(`log-in after ${DAYS} days`, waiting, back),
      ...rowsOf('open what is stored, without network', stored, alone),
    ];
  } finally {
    for (const writer of writers) await writer.close();
    await end(relay);
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the reader's device sees in a process of its own. */
async function readApart(home: string, task: string | Task): Promise<Seen> {
  const reader = start('reader-main.ts', home);
  reader.send(task);
  try {
    return (await answer<{ seen: Seen }>(reader)).seen;
  } finally {
    await end(reader);
  }
}

function rowsOf(work: string, n: number, { firstMs, allMs, bytes }: Seen): Row[] {
  const row = (figure: string, unit: string, value: number): Row =>
    plainRow({ bench: 'lifecycle', work: `${work}: ${figure}`, n, unit }, [value]);
  return [
    row('to the first message', 'ms', firstMs),
    row('to all of them', 'ms', allMs),
    row('memory', 'MB', bytes / 1e6),
  ];
}

/** Everybody in turn writes; resolves when the relay has it. */
async function write(writers: readonly App[], count: number): Promise<void> {
  const share = Math.ceil(count / writers.length);
  await Promise.all(
    writers.map(async (writer, i) => {
      const own = Math.min(share, count - i * share);
      for (let n = 0; n < own; n += 1) await writer.collections.chat.append({ text: TEXT });
      await writer.settled();
    }),
  );
}

function start(main: string, folder: string): ChildProcess {
  const path = fileURLToPath(new URL(main, import.meta.url));
  return fork(path, [folder], { execArgv: [...process.execArgv, '--expose-gc'] });
}

/** The child's next message. @throws when it ends instead */
function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as T);
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (!child.connected) return;
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}
