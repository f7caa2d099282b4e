import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { GroupEntry } from '@keytide/relay-protocol';
import { expect, test } from 'vitest';
import { encodeRecord, type LogRecord } from '../src/entry.ts';
import { GroupReplica } from '../src/group-replica.ts';
import { memoryJournal } from '../src/journal.ts';
import { rootInJournal } from '../src/journal-root.ts';
import { groupWorld } from './group-world.ts';

const world = await groupWorld();
const junk = (n: number): GroupEntry => ({ kind: 'envelope', bytes: Uint8Array.of(n >> 8, n & 255, 7) });

/** A device's copy of a log, and what reads it. */
async function copyOf(entries: readonly LogRecord[], decided = entries.length) {
  const { epochs } = await world.makeRing();
  const replica = new GroupReplica(primitives, world.state.everyone, epochs);
  for await (const outcome of replica.process(entries.slice(0, decided))) void outcome;
  const journal = memoryJournal();
  await journal.append(entries.map(encodeRecord));
  const sync = { assertNotOver() {} };
  return { replica, lostTimes: 0, parts: { journal }, sync, log: { ports: { primitives } } };
}

test('a root is had of any of what was decided, and of nothing else', async () => {
  const entries = [world.statement, ...Array.from({ length: 2_000 }, (_, n) => junk(n))];
  const core = await copyOf(entries, 2_000);
  const { replica } = await copyOf(entries.slice(0, 100));
  expect(await rootInJournal(core, 100)).toEqual(replica.rootAt(100));
  expect(await rootInJournal(core, 2_000)).toEqual(core.replica.rootAt(2_000));
  expect(await rootInJournal(core, 2_001)).toBe(null);
});

test('what was forgotten before it came has no root', async () => {
  const { bytes } = world.statement;
  const frontier = new Uint8Array(64).fill(3);
  const core = await copyOf([{ kind: 'floor', firstSeq: 4, statement: bytes, frontier }, junk(1), junk(2)]);
  expect(await rootInJournal(core, 2)).toBe(null);
  for (const size of [3, 4, 5]) expect(await rootInJournal(core, size)).toEqual(core.replica.rootAt(size));
  expect(core.replica.rootAt(3)).toHaveLength(32);
});
