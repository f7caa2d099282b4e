import { memoryKeyStore, openMessage, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import type { GroupEntry, RelayFrame } from '@keytide/relay-protocol';
import { describe, expect, test } from 'vitest';
import { commonLog } from '../src/common-log.ts';
import { encodeRecord, type LogRecord } from '../src/entry.ts';
import { GroupReplica } from '../src/group-replica.ts';
import { memoryJournal, type Journal } from '../src/journal.ts';
import { nodePorts } from '../src/node.ts';
import { Outbox } from '../src/outbox.ts';
import { OwnHead } from '../src/own-head.ts';
import { rewind, type Lost, type RewindOptions } from '../src/rewind.ts';
import { Unsealed } from '../src/unsealed.ts';
import { groupWorld, makeWriter, processIn } from './group-world.ts';

const world = await groupWorld();
const group = world.state.everyone;

/** A device that has this log, and an outbox in this journal. */
async function deviceWith(
  records: readonly LogRecord[],
  outboxJournal: Journal = memoryJournal(),
  keyStore: KeyStore = memoryKeyStore(),
) {
  const { epochs, directory } = await world.makeRing();
  const replica = new GroupReplica(primitives, group, epochs);
  await processIn(replica, records, records.length);
  const journal = memoryJournal();
  await journal.append(records.map(encodeRecord));
  const [outbox, ownHead] = [await Outbox.open(outboxJournal), await OwnHead.open(keyStore, group)];
  const unsealed = await Unsealed.open(keyStore, group);
  outbox.forget(({ counter }) => counter <= unsealed.through);
  const losses: Lost[] = [];
  const self = { device: world.device, signer: world.signer, sealing: {} as never };
  const options: RewindOptions = {
    ...{ ports: nodePorts, keyStore, group, self, directory, epochs, replica, journal, outbox, ownHead },
    unsealed,
    onLost: (lost) => losses.push(lost),
    onWaiting: () => undefined,
  };
  return { options, losses, outbox, ownHead, unsealed, journal, replica };
}

const textsIn = (outbox: Outbox): string[] =>
  outbox.all.map(({ envelope }) => Buffer.from(openMessage(world.keys, envelope).payload).toString());

test('what is said again is one’s own and authentic, and no counter is used twice', async () => {
  const write = makeWriter(world);
  const say = (text: string, isSigned = true): GroupEntry => write({ payload: Buffer.from(text), isSigned });
  const log = [world.statement, say('kept'), say('one'), say('two'), say('forged', false)];
  const { options, losses, outbox, ownHead, journal, replica } = await deviceWith(log);
  await rewind(options, { records: 2, seq: 2 });
  expect(textsIn(outbox)).toEqual(['one', 'two']);
  expect(outbox.all.map(({ counter, replaces }) => [counter, replaces])).toEqual([
    [3, 1],
    [4, 2],
  ]);
  expect(losses).toEqual([{ seq: 3, throughSeq: 5, others: [], again: 2, notAgain: 0 }]);
  expect([journal.length, replica.size, replica.headOf(world.device)?.counter]).toEqual([2, 2, 0]);
  // Also where nothing here would tell any more which counter comes next.
  expect(ownHead.latest([])?.counter).toBe(2);
});

test('a crash before the log is cut is made up for by the next attempt, and nothing is said twice', async () => {
  const write = makeWriter(world);
  const log = [
    world.statement,
    write({ payload: Buffer.from('one') }),
    write({ payload: Buffer.from('two') }),
  ];
  const kept = memoryJournal();
  for (let crashes = 0; crashes < 3; crashes += 1) {
    const { options, losses } = await deviceWith(log, kept);
    const cut = (): Promise<void> => Promise.reject(new Error('killed'));
    const { journal } = options;
    const broken = Object.create(journal, { cut: { value: cut } }) as Journal;
    await expect(rewind({ ...options, journal: broken }, { records: 1, seq: 1 })).rejects.toThrow('killed');
    expect(losses).toHaveLength(1);
  }
  const { options, outbox, losses } = await deviceWith(log, kept);
  await rewind(options, { records: 1, seq: 1 });
  expect(textsIn(outbox)).toEqual(['one', 'two']);
  expect(textsIn(await Outbox.open(kept))).toEqual(['one', 'two']);
  expect(losses[0]).toMatchObject({ seq: 2, throughSeq: 3, again: 2 });
});

const saidIn = ({ drafts }: Unsealed): string[] =>
  drafts.map(({ payload }) => Buffer.from(payload).toString());

test('without an epoch left, what is one’s own is durable until there is one: no crash on the way loses it', async () => {
  const write = makeWriter(world);
  const log = [world.statement, write({ payload: Buffer.from('one') })];
  // And one that never reached the relay.
  const two = write({ payload: Buffer.from('two') }).bytes;
  const [kept, keyStore] = [memoryJournal(), memoryKeyStore()];
  const link = random(32);
  const waiting = { messageId: random(16), envelope: two, counter: 1, link, replaces: null };
  await (await Outbox.open(kept)).add([waiting]);
  for (const step of ['onLost', 'cut', 'cut, done', 'compact'] as const) {
    const { options, journal, outbox } = await deviceWith(log, kept, keyStore);
    const killed = (): never => {
      throw new Error('killed');
    };
    const cut = async (length: number): Promise<void> => {
      if (step === 'cut, done') await journal.cut(length);
      return killed();
    };
    await expect(
      rewind(
        {
          ...options,
          ...(step === 'onLost' && { onLost: killed }),
          ...(step.startsWith('cut') && {
            journal: Object.create(journal, { cut: { value: cut } }) as Journal,
          }),
          ...(step === 'compact' && {
            outbox: Object.assign(outbox, { compact: async () => killed() }),
          }),
        },
        { records: 0, seq: 0 },
      ),
      step,
    ).rejects.toThrow('killed');
    expect(saidIn(await Unsealed.open(keyStore, group)), step).toEqual(['one', 'two']);
  }
  const { options, outbox, losses, ownHead, unsealed } = await deviceWith(log, kept, keyStore);
  await rewind(options, { records: 0, seq: 0 });
  expect(saidIn(unsealed)).toEqual(['one', 'two']);
  expect([outbox.size, kept.length, ownHead.latest([])?.counter]).toEqual([0, 0, 1]);
  expect(losses).toMatchObject([{ seq: 1, throughSeq: 2, again: 2, notAgain: 0 }]);

  // Put back once more, from a copy that has an epoch.
  const next = await deviceWith([world.statement, { kind: 'envelope', bytes: random(90) }], kept, keyStore);
  await rewind(next.options, { records: 1, seq: 1 });
  expect(textsIn(next.outbox)).toEqual(['one', 'two']);
  expect(next.outbox.all.map(({ counter, replaces }) => [counter, replaces])).toEqual([
    [2, 0],
    [3, 1],
  ]);
  expect([next.unsealed.size, (await Unsealed.open(keyStore, group)).size]).toEqual([0, 0]);
});

test('what may not be said again, for somebody has come since, is counted', async () => {
  const write = makeWriter(world);
  const log = [world.statement, write({ payload: Buffer.from('one') })];
  const { options, losses, outbox, unsealed } = await deviceWith(log);
  const envelope = write({ payload: Buffer.from('two') }).bytes;
  await outbox.add([{ messageId: random(16), envelope, counter: 1, link: random(32), replaces: null }]);
  options.epochs.reachesAll = () => false;
  await rewind(options, { records: 0, seq: 0 });
  expect(losses).toMatchObject([{ again: 0, notAgain: 2 }]);
  expect([unsealed.size, outbox.size]).toEqual([0, 0]);
});

test('what is sealed and durable, or over, is kept no longer', async () => {
  const keyStore = memoryKeyStore();
  const unsealed = await Unsealed.open(keyStore, group);
  const drafts = [3, 12].map((replaces) => ({
    channel: new Uint8Array(16),
    payload: random(5),
    replaces,
    endMs: replaces * 10,
  }));
  await keyStore.write(unsealed.change(12, drafts));
  unsealed.keep(12, drafts);
  expect((await Unsealed.open(keyStore, group)).drafts).toEqual(drafts);
  expect(await unsealed.forget(({ endMs }) => endMs <= 30)).toBe(1);
  expect(unsealed.drafts).toEqual(drafts.slice(1));
  const again = await Unsealed.open(keyStore, group);
  expect([again.drafts, again.through]).toEqual([drafts.slice(1), 12]);
});

describe('what a device and a relay have in common', () => {
  const entries = Array.from({ length: 7 }, (): GroupEntry => ({ kind: 'envelope', bytes: random(9) }));
  const other: GroupEntry = { kind: 'envelope', bytes: random(9) };

  /** A relay that has these entries from `firstSeq` on, two in a page. */
  function relayWith(all: readonly GroupEntry[], firstSeq = 1) {
    return async (afterSeq: number): Promise<RelayFrame[]> => {
      const from = Math.max(firstSeq, afterSeq + 1);
      const page = all.slice(from - 1, from + 1);
      const headSeq = Math.max(all.length, firstSeq - 1);
      const timeline = new Uint8Array(16);
      const frames: RelayFrame[] = [{ type: 'welcome', relayTimeMs: 0, directorySize: 1, timeline }];
      if (from > afterSeq + 1) frames.push({ type: 'gap', group, firstAvailableSeq: from });
      if (page.length > 0) frames.push({ type: 'entries', group, firstSeq: from, entries: page });
      if (from + page.length > headSeq) frames.push({ type: 'caught-up', group, headSeq });
      return frames;
    };
  }

  async function journalOf(records: readonly LogRecord[]): Promise<Journal> {
    const journal = memoryJournal();
    await journal.append(records.map(encodeRecord));
    return journal;
  }

  const floor: LogRecord = { kind: 'floor', firstSeq: 4, statement: random(5), frontier: random(64) };
  test.each([
    ['the same', entries, relayWith(entries), 7, 7],
    ['the relay has more', entries.slice(0, 3), relayWith(entries), 3, 3],
    ['the relay has less', entries, relayWith(entries.slice(0, 4)), 4, 4],
    ['the relay has nothing', entries, relayWith([]), 0, 0],
    ['another entry', entries, relayWith(entries.with(4, other)), 4, 4],
    ['another first entry', entries, relayWith(entries.with(0, other)), 0, 0],
    ['the relay has forgotten some', entries, relayWith(entries, 4), 7, 7],
    ['the relay has forgotten all', entries, relayWith([], 8), 7, 7],
    ['it has forgotten some, and the next is another', entries, relayWith(entries.with(5, other), 4), 5, 5],
    ['this device began at a floor', [floor, ...entries.slice(3)], relayWith(entries), 5, 7],
    ['and the relay has less', [floor, ...entries.slice(3)], relayWith(entries.slice(0, 5)), 3, 5],
    ['the relay ends before the floor', [floor, ...entries.slice(3)], relayWith(entries.slice(0, 2)), 0, 0],
  ] as const)('%s', async (_name, own, read, records, seq) => {
    expect(await commonLog(await journalOf(own), read)).toEqual({ records, seq });
  });

  test('a log with a hole, or that does not go on, is refused', async () => {
    const journal = await journalOf(entries);
    const hole = async (afterSeq: number): Promise<RelayFrame[]> =>
      (await relayWith(entries)(afterSeq)).map((frame) =>
        frame.type === 'entries' ? { ...frame, firstSeq: frame.firstSeq + 1 } : frame,
      );
    for (const read of [hole, async () => []])
      await expect(commonLog(journal, read)).rejects.toMatchObject({ code: 'relay-misbehaved' });
  });
});
