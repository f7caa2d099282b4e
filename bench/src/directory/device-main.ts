/**
 * One organisation of one size, in a process of its own so that its memory can be told: a device that replays,
 * a relay beside it, and what passes between them. Takes a `Task` as message, answers notes and a `Measured`.
 */
import { once } from 'node:events';
import { memoryKeyStore, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { EMPTY_MAP_ROOT, headsOf, updateMap } from '@keytide/key-directory';
import { anchorChange, DirectoryReplica } from '../../../packages/client/src/directory-replica.ts';
import type { Journal } from '../../../packages/client/src/journal.ts';
import { loadRelay } from './load-relay.ts';
import { LogFile } from './log-file.ts';
import { measureLookups, type MeasuredLookups } from './lookups.ts';
import { peakOf } from './memory.ts';
import { measureDays, type MeasuredRelay } from './relay-days.ts';
import type { Secrets } from './organisation.ts';

/** What to measure. */
export interface Task {
  readonly path: string;
  readonly secrets: Secrets;
  /** The log at the start has so many entries; those after come day by day. */
  readonly entries: number;
  readonly dayEntries: number;
  readonly days: number;
  readonly replays: number;
  /** An empty folder for the relay. */
  readonly folder: string;
}

/** What came out. Times in ms. */
export interface Measured extends MeasuredLookups, MeasuredRelay {
  readonly replayMs: readonly number[];
  readonly replayPeakBytes: number;
  readonly startMs: number;
}

async function measure(task: Task): Promise<Measured> {
  const log = new LogFile(task.path);
  const note = (text: string): void => void process.send?.({ note: text });
  const { org } = task.secrets;
  const replayMs: number[] = [];
  const openWith = (keyStore: KeyStore): Promise<DirectoryReplica> =>
    DirectoryReplica.open({ primitives, journal: journalOf(log, task.entries), keyStore, org });
  const open = async (): Promise<DirectoryReplica> => {
    const begun = performance.now();
    const replica = await openWith(memoryKeyStore());
    replayMs.push(performance.now() - begun);
    return replica;
  };
  note('a device replays the log');
  const { result, bytes: replayPeakBytes } = await peakOf(open);
  let replica = result;
  while (replayMs.length < task.replays) replica = await open();
  const kept = memoryKeyStore();
  const { size } = replica;
  await kept.write([anchorChange({ size, root: replica.rootAt(size) as Uint8Array })]);
  const opening = performance.now();
  await openWith(kept);
  const startMs = performance.now() - opening;

  note('the map, and a relay with all of it');
  const { state } = replica;
  const none = { readNode: () => Promise.resolve(null) };
  const map = await updateMap(primitives, none, EMPTY_MAP_ROOT, headsOf(primitives, state));
  const loaded = {
    state,
    mapRoot: map.root,
    nodes: map.added,
    readWires: (start: number, end: number) => log.read(start, end),
  };
  const { tiles, checkpoint } = await loadRelay(task.folder, task.secrets, loaded);

  note('lookups');
  const lookups = await measureLookups({
    state,
    checkpoint,
    tiles,
    map,
    secrets: task.secrets,
    wireAt: (index) => log.read(index, index + 1)[0] as Uint8Array,
  });

  note('the relay, and days of changes');
  const days = Array.from({ length: task.days }, (_, day) => {
    const start = task.entries + day * task.dayEntries;
    return log.read(start, start + task.dayEntries);
  });
  const relay = await measureDays({ replica, secrets: task.secrets, folder: task.folder, days });
  log.close();
  return { replayMs, replayPeakBytes, startMs, ...lookups, ...relay };
}

/** A device's journal with the first entries of the log; what is appended stays in memory. */
function journalOf(log: LogFile, length: number): Journal {
  const appended: Uint8Array[] = [];
  return {
    get length() {
      return length + appended.length;
    },
    read: (start, end = length) => Promise.resolve(log.read(start, Math.min(end, length))),
    append: (records) => Promise.resolve(void appended.push(...records)),
    flush: () => Promise.resolve(),
    cut: () => Promise.reject(new Error('nobody cuts this journal')),
  };
}

process.on('disconnect', () => process.exit());
const [task] = (await once(process, 'message')) as [Task];
process.send?.({ measured: await measure(task) }, () => process.disconnect());
