import { exportArchive, readArchive, type ExportSource } from '@keytide/archive';
import { entriesIn, type OpenedEntry } from '@keytide/archive/formats';
import { createEpoch, parseEpochStatement } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { recipientsOf } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { identities, optionsFor, someDays } from '../exporting.ts';
import { memoryDestination, type MemoryDestination } from '../memory-destination.ts';
import type { WorldSource } from '../world-source.ts';

const DAY_MS = 86_400_000;

/** Where time ends for each entry of an archive, in days after the first day. */
async function endsIn(files: MemoryDestination, startMs: number): Promise<(number | null)[]> {
  const ends: (number | null)[] = [];
  for await (const { endMs } of entriesIn(await readArchive({ primitives, files, identities }))())
    ends.push(endMs === null ? null : (endMs - startMs) / DAY_MS);
  return ends;
}

async function entriesOf(...places: readonly MemoryDestination[]): Promise<OpenedEntry[]> {
  const archives = await Promise.all(places.map((files) => readArchive({ primitives, files, identities })));
  const entries: OpenedEntry[] = [];
  for await (const entry of entriesIn(...archives)()) entries.push(entry);
  return entries;
}

function firstDayOf({ log }: WorldSource): number {
  const [first] = log;
  if (first?.kind !== 'statement') throw new Error('not a statement');
  return parseEpochStatement(primitives, first.wire).blockStartMs;
}

/** A statement for a hundred years, by a member, where the policy says a day. */
async function forged({ world, log }: WorldSource): Promise<Uint8Array> {
  const previous = log.findLast((entry) => entry.kind === 'statement');
  if (previous?.kind !== 'statement') throw new Error('not a statement');
  const { everyone: group } = world.state;
  const startMs = world.clock.now();
  const { statement, key } = await createEpoch({
    ...{ primitives, random, org: world.org, group, reason: 'block-boundary', createdMs: startMs },
    previous: parseEpochStatement(primitives, previous.wire),
    ...{ blockStartMs: startMs, blockEndMs: startMs + 36_500 * DAY_MS },
    checkpoint: { size: world.state.size, root: world.state.root },
    closing: { group: { size: 0, root: new Uint8Array(32) }, senders: [] },
    author: world.members[0].devices[0].id,
    signer: world.members[0].devices[0].signer,
    recipients: recipientsOf(world.state, group).map(({ device, sealingPublicKey }) => {
      return { device, encapsulator: primitives.encapsulator(sealingPublicKey) };
    }),
  });
  key.dispose();
  return statement;
}

test('time ends a block after the newest epoch, whatever a statement says that does not count', async () => {
  const source = await someDays();
  const startMs = firstDayOf(source);
  const wire = await forged(source);
  (source.log as unknown[]).push({ kind: 'statement', seq: source.log.length + 1, wire });
  const destination = memoryDestination();
  await exportArchive(optionsFor(source, destination));
  expect(await endsIn(destination, startMs)).toEqual([2, 2, 2, 3, 3, 3, 4, 4, 4]);
});

test('an archive that goes on in the middle of a day knows when it ends', async () => {
  const source = await someDays();
  const groups: ExportSource['groups'] = async () =>
    (await source.groups()).map((group) => ({ ...group, throughSeq: 2 }));
  const first = memoryDestination();
  const { signed } = await exportArchive({ ...optionsFor(source, first), source: { ...source, groups } });
  const second = memoryDestination();
  await exportArchive({ ...optionsFor(source, second), since: signed });
  expect(await endsIn(second, firstDayOf(source))).toEqual([2, 3, 3, 3, 4, 4]);
  const whole = memoryDestination();
  await exportArchive(optionsFor(source, whole));
  const all = await entriesOf(whole);
  expect(all).toHaveLength(8);
  // One after the other they are the whole, also where they overlap.
  expect(await entriesOf(first, second)).toEqual(all);
  expect(await entriesOf(first, whole, second)).toEqual(all);
});
