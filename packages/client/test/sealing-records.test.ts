import {
  createSealingRecord,
  deviceIdOf,
  encodeCbor,
  type SealingRecord,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { memoryKeyStore } from '@keytide/crypto-core';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { memoryJournal, type Journal } from '../src/journal.ts';
import { SealingRecords } from '../src/sealing-records.ts';
import { sealingTimesOf } from '../src/sealing-times.ts';

const world = seededWorld({ seed: 'sealing records', members: 2 });
const { random, state } = world;
const [ada, bo] = world.members.map(({ devices }) => devices[0]) as readonly Keys[] as [Keys, Keys];
interface Keys {
  readonly id: ReturnType<typeof deviceIdOf>;
  readonly signer: Signer;
}
const blockMs = state.policy.blockSeconds * 1000;
const first = (keys: Keys): SealingRecord => ({ device: keys.id, ...deviceOf(keys).sealing });
const deviceOf = (keys: Keys) => state.devices.get(keys.id) ?? expect.unreachable();
/** A record of a device, `blocks` after the end of its first. */
function recordOf(
  keys: Keys,
  blocks: number,
  signer = keys.signer,
): { record: SealingRecord; wire: Uint8Array } {
  const notBeforeMs = first(keys).notAfterMs + blocks * blockMs;
  const { publicKey } = primitives.decapsulator(random(32));
  const record = { device: keys.id, publicKey, notBeforeMs, notAfterMs: notBeforeMs + blockMs };
  return { record, wire: createSealingRecord(primitives, signer, record) };
}

async function opened(journal: Journal = memoryJournal()) {
  const keyStore = memoryKeyStore();
  const directory = await DirectoryReplica.open({
    primitives,
    journal: memoryJournal(),
    keyStore,
    org: world.org,
  });
  await directory.append(world.wires);
  const records = await SealingRecords.open({ primitives, journal, directory });
  const asked: number[] = [];
  const give = (...wires: Uint8Array[]) =>
    records.pull(async (after) => {
      asked.push(after);
      const page = wires.map((record) => ({ device: ada.id, record }));
      return { records: page, next: after + wires.length, more: false };
    });
  const choice = (keys: Keys, blocks: number) =>
    records.choiceAt(deviceOf(keys), first(keys).notAfterMs + blocks * blockMs);
  return { records, give, choice, asked, directory };
}

const [one, two, three] = [recordOf(bo, 0), recordOf(bo, 1), recordOf(bo, 2)];

test('boxes go to the newest record that has started, and to nobody after the grace', async () => {
  const { give, choice } = await opened();
  expect(choice(bo, -0.5)).toEqual({ kind: 'in-force', record: first(bo) });
  await give(one.wire, two.wire);
  expect(choice(bo, 0.5)).toEqual({ kind: 'in-force', record: one.record });
  expect(choice(bo, 1.5)).toEqual({ kind: 'in-force', record: two.record });
  expect(choice(bo, 2.5)).toEqual({ kind: 'grace', record: two.record });
  expect(choice(bo, 3.5)).toMatchObject({ kind: 'silent' });
  expect(choice(ada, 0.5)).toEqual({ kind: 'grace', record: first(ada) });
});

test.each<[string, () => Uint8Array]>([
  ['signed by another device', () => recordOf(bo, 1, ada.signer).wire],
  ['of a device that signed it itself and is in no log', () => recordOf({ ...bo, signer: stranger }, 1).wire],
  ['that is older than the newest known', () => one.wire],
  ['that was given before', () => two.wire],
  ['that overlaps the newest known', () => recordOf(bo, 1.5).wire],
  ['that lasts for long', () => lasting(10)],
  ['with a key that cannot be sealed to', () => withKey(new Uint8Array(1216).fill(0xff))],
  ['altered', () => recordOf(bo, 3).wire.map((byte, i) => (i === 400 ? byte ^ 1 : byte))],
  ['that is none', () => random(100)],
])('a record %s changes nothing', async (_, wire) => {
  const { give, choice } = await opened();
  await give(two.wire);
  await give(wire());
  expect(choice(bo, 2.5)).toEqual({ kind: 'grace', record: two.record });
  expect(choice(ada, 2.5)).toMatchObject({ kind: 'silent' });
  await give(three.wire);
  expect(choice(bo, 2.5)).toEqual({ kind: 'in-force', record: three.record });
});

test('what was known stays known when the device starts again, and is not asked for again', async () => {
  const journal = memoryJournal();
  const before = await opened(journal);
  await before.give(one.wire, two.wire);
  await before.give(three.wire);
  const after = await opened(journal);
  await after.give(one.wire);
  expect(after.asked).toEqual([3]);
  expect(after.choice(bo, 2.5)).toEqual({ kind: 'in-force', record: three.record });
});

test('many pages leave a short journal that says the same', async () => {
  const journal = memoryJournal();
  const { give } = await opened(journal);
  const wires = Array.from({ length: 70 }, (_, i) => recordOf(bo, i));
  for (const { wire } of wires) await give(wire);
  expect(journal.length).toBeLessThan(40);
  const after = await opened(journal);
  expect(after.choice(bo, 69.5)).toEqual({ kind: 'in-force', record: wires[69]?.record });
  await after.give();
  expect(after.asked).toEqual([70]);
});

test('a list that goes back, or says that there is more and does not go on, is refused', async () => {
  const { give, records } = await opened();
  await give(one.wire);
  for (const page of [
    { records: [], next: 0, more: false },
    { records: [], next: 1, more: true },
  ])
    await expect(records.pull(async () => page)).rejects.toMatchObject({ code: 'relay-misbehaved' });
});

test('a page that is refused takes nothing along, and a list that goes on with nothing is refused', async () => {
  const journal = memoryJournal();
  const { give, choice, records } = await opened(journal);
  const page = [{ device: bo.id, record: one.wire }];
  const stuck = records.pull(async () => ({ records: page, next: 0, more: true }));
  await expect(stuck).rejects.toMatchObject({ code: 'relay-misbehaved' });
  let asked = 0;
  const endless = records.pull(async (after) => {
    asked += 1;
    return { records: [], next: after + 1, more: asked < 50 };
  });
  await expect(endless).rejects.toMatchObject({ code: 'relay-misbehaved' });
  expect(asked).toBe(1);
  expect(choice(bo, 0.5)).toMatchObject({ kind: 'grace' });
  await give(one.wire);
  expect((await opened(journal)).choice(bo, 0.5)).toEqual({ kind: 'in-force', record: one.record });
});

test('what could not be stored is taken when it is shown again', async () => {
  const kept = memoryJournal();
  let isFull = true;
  const journal: Journal = {
    ...kept,
    get length() {
      return kept.length;
    },
    append: async (added) => {
      if (isFull) throw new Error('no space left');
      await kept.append(added);
    },
  };
  const { give, asked } = await opened(journal);
  await expect(give(one.wire)).rejects.toThrow('no space left');
  isFull = false;
  await give(one.wire);
  expect(asked).toEqual([0, 0]);
  expect((await opened(kept)).choice(bo, 0.5)).toEqual({ kind: 'in-force', record: one.record });
});

test('a record that was shown with no place of its own is kept too', async () => {
  const journal = memoryJournal();
  const { records } = await opened(journal);
  const page = [{ device: bo.id, record: one.wire }];
  await records.pull(async () => ({ records: page, next: 0, more: false }));
  expect((await opened(journal)).choice(bo, 0.5)).toEqual({ kind: 'in-force', record: one.record });
});

test('all pages are read, each after the one before', async () => {
  const { records, choice } = await opened();
  const asked: number[] = [];
  await records.pull(async (after) => {
    asked.push(after);
    const record = [one, two, three][after]?.wire as Uint8Array;
    return { records: [{ device: bo.id, record }], next: after + 1, more: after < 2 };
  });
  expect(asked).toEqual([0, 1, 2]);
  expect(choice(bo, 2.5)).toEqual({ kind: 'in-force', record: three.record });
});

test('a key from when blocks were longer counts until it ends, unless it outlives X', async () => {
  const days = [lasting(7), lasting(7.001)];
  for (const [i, kind] of ['in-force', 'silent'].entries()) {
    const { give, choice } = await opened();
    await give(days[i] as Uint8Array);
    expect(choice(bo, 6)).toMatchObject({ kind });
  }
});

test('a crash while the list is made short loses no more than the list', async () => {
  const kept = memoryJournal();
  let clears = 0;
  const journal: Journal = {
    ...kept,
    get length() {
      return kept.length;
    },
    cut: async (length) => {
      await kept.cut(length);
      clears += 1;
      throw new Error('killed');
    },
  };
  const { give } = await opened(journal);
  const wires = Array.from({ length: 70 }, (_, i) => recordOf(bo, i));
  for (const { wire } of wires) await give(wire).catch(() => {});
  expect(clears).toBeGreaterThan(0);
  const after = await opened(kept);
  await after.give(...wires.map(({ wire }) => wire));
  expect(after.choice(bo, 69.5)).toEqual({ kind: 'in-force', record: wires[69]?.record });
});

test('without a membership log there is nothing to verify by, and no failure', async () => {
  const journal = memoryJournal();
  await (await opened(journal)).give(one.wire);
  const keyStore = memoryKeyStore();
  const empty = { primitives, journal: memoryJournal(), keyStore, org: world.org };
  const directory = await DirectoryReplica.open(empty);
  await SealingRecords.open({ primitives, journal, directory });
});

test('a list that was made short says the same, place and records', async () => {
  const journal = memoryJournal();
  const { give } = await opened(journal);
  const wires = Array.from({ length: 65 }, (_, i) => recordOf(bo, i));
  for (const { wire } of wires) await give(wire);
  expect(journal.length).toBe(1);
  const after = await opened(journal);
  expect(after.choice(bo, 64.5)).toEqual({ kind: 'in-force', record: wires[64]?.record });
  await after.give();
  expect(after.asked).toEqual([65]);
});

test('what is read is durable before it is used, and what is refused is not kept', async () => {
  const kept = memoryJournal();
  let flushed = 0;
  const journal: Journal = {
    ...kept,
    get length() {
      return kept.length;
    },
    flush: async () => void (flushed = kept.length),
  };
  const { give } = await opened(journal);
  await give(one.wire, random(1000));
  expect(flushed).toBe(1);
  const [page] = await kept.read(0);
  expect(page?.length).toBeLessThan(one.wire.length + 20);
});

test('a record that overlaps the one of the membership log changes nothing', async () => {
  const { give, choice } = await opened();
  await give(recordOf(bo, -0.5).wire);
  expect(choice(bo, 0.2)).toEqual({ kind: 'grace', record: first(bo) });
});

test('the grace is what the policy says of silence, and a block where it says nothing', () => {
  const { policy } = state;
  expect(sealingTimesOf(policy)).toEqual({ blockMs, retentionMs: 7 * blockMs, graceMs: blockMs });
  expect(sealingTimesOf({ ...policy, silenceSeconds: 5 })).toMatchObject({ blockMs, graceMs: 5000 });
});

test('a stored page that is none is refused', async () => {
  for (const value of [[2, 1, []], [1, 'x', []], [1, 1, 'x'], 'none']) {
    const journal = memoryJournal();
    await journal.append([encodeCbor(value as never)]);
    await expect(opened(journal)).rejects.toMatchObject({ code: 'store-damaged' });
  }
});

test('a place too far on, once told, hides nothing for good', async () => {
  const journal = memoryJournal();
  const { give, choice, records } = await opened(journal);
  await give(one.wire);
  await records.pull(async () => ({ records: [], next: 1_000_000, more: false }));
  const honest = async (after: number) => {
    const page = [one.wire, two.wire].slice(after).map((record) => ({ device: bo.id, record }));
    return { records: page, next: Math.max(after, 2), more: false };
  };
  await records.pull(honest);
  expect(choice(bo, 1.5)).toMatchObject({ kind: 'grace' });
  records.startOver();
  await records.pull(honest);
  expect(choice(bo, 1.5)).toEqual({ kind: 'in-force', record: two.record });
  expect((await opened(journal)).choice(bo, 1.5)).toEqual({ kind: 'in-force', record: two.record });
});

const stranger = primitives.signer(random(32));

function lasting(blocks: number): Uint8Array {
  const { record } = recordOf(bo, 2);
  const long = { ...record, notAfterMs: record.notBeforeMs + blocks * blockMs };
  return createSealingRecord(primitives, bo.signer, long);
}

function withKey(publicKey: Uint8Array): Uint8Array {
  return createSealingRecord(primitives, bo.signer, { ...recordOf(bo, 2).record, publicKey });
}

test('a list without end is refused, however it goes on', async () => {
  const { records } = await opened();
  let asked = 0;
  const endless = records.pull((after) => {
    asked += 1;
    if (asked > 5000) throw new Error('asked without end');
    return Promise.resolve({ records: [{ device: ada.id, record: one.wire }], next: after + 1, more: true });
  });
  await expect(endless).rejects.toMatchObject({ code: 'relay-misbehaved' });
  expect(asked).toBeGreaterThan(1024);
});
