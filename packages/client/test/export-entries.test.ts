import {
  concatBytes,
  encodeAttachmentDescriptor,
  encodeCbor,
  Secret,
  toBase64Url,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import type { GroupEntry } from '@keytide/relay-protocol';
import { expect, test } from 'vitest';
import { encodeRecord } from '../src/entry.ts';
import { exportedEntries } from '../src/export-entries.ts';
import { GroupReplica } from '../src/group-replica.ts';
import { memoryJournal } from '../src/journal.ts';
import type { Judge } from '../src/judge-message.ts';
import { groupWorld, makeWriter } from './group-world.ts';

/** A device that has this log, and what an export of it reads; `portion`: how many entries it decided at once. */
async function deviceWith(
  entries: readonly GroupEntry[],
  portion = 7,
  surroundings: Parameters<typeof world.makeRing>[2] = {},
) {
  const { epochs, directory } = await world.makeRing(undefined, undefined, surroundings);
  const replica = new GroupReplica(primitives, world.state.everyone, epochs);
  for (let start = 0; start < entries.length; start += portion)
    for await (const outcome of replica.process(entries.slice(start, start + portion))) void outcome;
  const journal = memoryJournal();
  await journal.append(entries.map(encodeRecord));
  const judge: Judge = ({ seq, epoch }) => {
    const origin = { seq, epoch, role: 'admin', device: '', member: '', handle: '', timeMs: 0 } as const;
    return isOver ? null : { origin, operation: null, code: null };
  };
  let isOver = false;
  const core = {
    ...{ replica, judge, lostTimes: 0, parts: { journal, directory }, sync: { assertNotOver() {} } },
    epochs,
    expire: () => void (isOver = true),
  };
  return core;
}

/** What each entry is exported as. */
async function exported(core: Awaited<ReturnType<typeof deviceWith>>, fromSeq = 1, onEntry = () => {}) {
  const found: string[] = [];
  for await (const entry of exportedEntries(core, { fromSeq, throughSeq: core.replica.size })) {
    found.push(`${entry.seq} ${entry.kind === 'unreadable' ? entry.code : entry.kind}`);
    onEntry();
  }
  return found;
}

const world = await groupWorld();

test('each entry comes once and in order, also one that a later message vouches for', async () => {
  const write = makeWriter(world);
  const entries = [
    world.statement,
    write(),
    write({ isSigned: false }),
    { kind: 'envelope', bytes: concatBytes(write().bytes, random(1)) } as const,
    write({ isSigned: false }),
    write(),
    write({ isSigned: false }),
  ];
  // The third stays refused: what would have vouched for it was altered.
  for (const portion of [1, 3, 7])
    expect(await exported(await deviceWith(entries, portion))).toEqual([
      '1 statement',
      '2 message',
      '3 tampered',
      '4 tampered',
      '5 message',
      '6 message',
      '7 tampered',
    ]);
});

test('what a newer build attaches is exported, also where this one makes nothing of the message', async () => {
  const write = makeWriter(world);
  const key = Secret.own(random(32));
  const described = encodeAttachmentDescriptor({ key, sizeBytes: 9, padded: true, root: null });
  const file = { blob: 'ab'.repeat(32), descriptor: toBase64Url(described), sizeBytes: 9 };
  // The judge here takes no message for an operation.
  const entries = [world.statement, write({ payload: encodeCbor([2, 7, { of: [file] }]) }), write()];
  const core = await deviceWith(entries);
  const found: unknown[] = [];
  for await (const entry of exportedEntries(core, { fromSeq: 2, throughSeq: 3 }))
    found.push(entry.kind === 'message' && entry.attachments.map(({ blob }) => blob));
  expect(found).toEqual([[file.blob], []]);
});

test('what a box that does not open leaves unread lacks a key, and garbage does not', async () => {
  const write = makeWriter(world);
  const garbage = { kind: 'envelope', bytes: random(300) } as const;
  const device = await deviceWith([world.statement, write(), garbage, write()], 7, {
    alterBox: (box) => {
      box[box.length - 20] = (box[box.length - 20] as number) ^ 1;
      return box;
    },
  });
  expect(device.epochs.keysOf(1)).toBe('tampered');
  expect(await exported(device)).toEqual([
    ...['1 statement', '2 key-not-yet-arrived', '3 tampered', '4 key-not-yet-arrived'],
  ]);
});

test('an entry waits for the rest of its window, which is not in the same page of the journal', async () => {
  const write = makeWriter(world);
  const payload = random(40_000);
  // About a hundred of these are a window, and 128 a page.
  const entries = [world.statement];
  while (entries.length < 126) entries.push(write({ payload }));
  for (const isSigned of [false, false, true]) entries.push(write({ payload, isSigned }));
  expect(await exported(await deviceWith(entries, 50), 127)).toEqual([
    '127 message',
    '128 message',
    '129 message',
  ]);
});

test('nobody vouches across the end of a window, in an export either', async () => {
  const write = makeWriter(world);
  const entries = [world.statement];
  while (entries.length < 1023) entries.push(write());
  entries.push(write({ isSigned: false }), write(), write({ isSigned: false }), write());
  const found = await exported(await deviceWith(entries, 500), 1020);
  expect(found).toEqual([
    ...['1020 message', '1021 message', '1022 message', '1023 message', '1024 tampered'],
    ...['1025 message', '1026 message', '1027 message'],
  ]);
});

test('no more is read ahead than a window and a page', async () => {
  const write = makeWriter(world);
  const entries = [world.statement];
  while (entries.length < 3000) entries.push(write());
  const core = await deviceWith(entries, 1000);
  let yielded = 0;
  let most = 0;
  const read = core.parts.journal.read.bind(core.parts.journal);
  core.parts.journal.read = (start, end) => {
    most = Math.max(most, (end ?? 0) - yielded);
    return read(start, end);
  };
  await exported(core, 1, () => void (yielded += 1));
  expect(yielded).toBe(3000);
  expect(most).toBeLessThanOrEqual(2 * 1024);
});

test('what goes by the retention window meanwhile is over from there on', async () => {
  const write = makeWriter(world);
  const entries = [world.statement];
  while (entries.length < 1030) entries.push(write());
  const core = await deviceWith(entries, 1000);
  let count = 0;
  const found = await exported(core, 1021, () => {
    count += 1;
    if (count === 2) core.expire();
  });
  expect(found.slice(0, 3)).toEqual(['1021 message', '1022 message', '1023 expired-by-policy']);
});

test('an export ends where the relay loses entries meanwhile', async () => {
  const write = makeWriter(world);
  const entries = [world.statement];
  while (entries.length < 3000) entries.push(write());
  const core = await deviceWith(entries, 1000);
  const going = exported(core, 1, () => void (core.lostTimes += 1));
  await expect(going).rejects.toMatchObject({ code: 'source-changed' });
});
