import { nodePrimitives } from '@keytide/crypto-core/node';
import { memoryKeyStore, parseEpochStatement, Secret } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { ClientError } from '../src/errors.ts';
import { GroupReplica } from '../src/group-replica.ts';
import { groupWorld, lastBySeq, makeWriter, processIn } from './group-world.ts';

test('whether an epoch is due is computed once for each log, not for each message', async () => {
  const { statement, secondEntry, makeRing } = await groupWorld();
  let hashes = 0;
  const primitives = {
    ...nodePrimitives,
    sha256(bytes: Uint8Array) {
      hashes += 1;
      return nodePrimitives.sha256(bytes);
    },
  };
  const { epochs, directory } = await makeRing(primitives);
  const verified = await epochs.verify(statement.bytes);
  await epochs.adopt(verified);
  const now = verified.blockStartMs;
  expect(epochs.needsRotation(now)).toBe(false);
  hashes = 0;
  for (let message = 0; message < 10; message += 1) expect(epochs.needsRotation(now)).toBe(false);
  expect(hashes).toBe(0);
  expect(epochs.needsRotation(verified.blockEndMs)).toBe(true);

  // An invite brings nobody in, and yet it is another log.
  await directory.append([secondEntry]);
  hashes = 0;
  expect(epochs.needsRotation(now)).toBe(false);
  expect(hashes).toBeGreaterThan(0);
});

const raw = (key: Secret | null) => key?.use((bytes) => bytes.slice());

test('a key from elsewhere is taken for an epoch that lacks it, once, and is there after a restart', async () => {
  const { statement, epochKey, makeRing } = await groupWorld();
  const keyStore = memoryKeyStore();
  const { epochs } = await makeRing(nodePrimitives, async () => {}, { keyStore, hasBox: () => false });
  expect(await epochs.importKeys([{ epoch: 1, key: epochKey() }])).toEqual([]);
  await epochs.adopt(await epochs.verify(statement.bytes));
  expect(epochs.lacking()).toEqual([
    { statement: epochs.statementOf(1), reason: 'key-not-yet-arrived', wasRecipient: true },
  ]);
  expect(await epochs.keyOf(1)).toBeNull();

  const key = epochKey();
  expect(
    await epochs.importKeys([
      { epoch: 1, key },
      { epoch: 2, key },
    ]),
  ).toEqual([1]);
  expect(await epochs.importKeys([{ epoch: 1, key }])).toEqual([]);
  expect([epochs.lacking(), raw(await epochs.keyOf(1))]).toEqual([[], raw(key)]);
  expect(epochs.currentKeys).not.toBeNull();

  const { epochs: again } = await makeRing(nodePrimitives, async () => {}, {
    keyStore,
    hasBox: () => false,
  });
  await again.adopt(await again.verify(statement.bytes));
  expect([again.lacking(), raw(await again.keyOf(1))]).toEqual([[], raw(key)]);
});

test('a key that the author has not committed to is refused, and nothing is taken with it', async () => {
  const { statement, epochKey, makeRing } = await groupWorld();
  const keyStore = memoryKeyStore();
  const { epochs } = await makeRing(nodePrimitives, async () => {}, { keyStore, hasBox: () => false });
  await epochs.adopt(await epochs.verify(statement.bytes));
  const wrong = Secret.own(new Uint8Array(32));
  const keys = [
    { epoch: 1, key: epochKey() },
    { epoch: 1, key: wrong },
  ];
  await expect(epochs.importKeys(keys)).rejects.toMatchObject({ code: 'commitment-mismatch' });
  expect(await keyStore.names('epoch/')).toEqual([]);
  expect(epochs.lacking()).toHaveLength(1);
});

test('of an epoch that is over, no box is fetched, no key is imported and none given away', async () => {
  const { statement, epochKey, makeRing } = await groupWorld();
  const keyStore = memoryKeyStore();
  let startMs = Infinity;
  let asked = 0;
  const hasBox = () => {
    asked += 1;
    return true;
  };
  const ring = { keyStore, hasBox, windowStartMs: () => startMs };
  const { epochs } = await makeRing(nodePrimitives, async () => {}, ring);
  const verified = await epochs.verify(statement.bytes);
  await epochs.adopt(verified);
  expect([epochs.keysOf(1), epochs.lacking(), asked]).toEqual(['expired-by-policy', [], 0]);
  expect(await epochs.importKeys([{ epoch: 1, key: epochKey() }])).toEqual([]);
  expect([await epochs.fetchBoxes(), asked]).toEqual([false, 0]);
  expect(await keyStore.names('epoch/')).toEqual([]);
  // By a clock that was put right: to the very moment at which its block has ended X ago.
  startMs = verified.blockEndMs;
  expect(epochs.settle()).toEqual({ expiredThrough: 1, isNew: false, isBack: false });
  startMs -= 1;
  expect(epochs.settle()).toEqual({ expiredThrough: 0, isNew: true, isBack: true });
  expect(await epochs.fetchBoxes()).toBe(true);
  expect(raw(await epochs.keyOf(1))).toEqual(raw(epochKey()));
  startMs += 1;
  expect(await epochs.keyOf(1)).toBeNull();
});

test('a client that is being opened waits for no box; once it may ask, what comes is told in its place', async () => {
  const world = await groupWorld();
  const write = makeWriter(world);
  const entries = [world.statement, write(), write()];
  let isOpen = false;
  const { epochs } = await world.makeRing(nodePrimitives, async () => {}, { canAsk: () => isOpen });
  const replica = new GroupReplica(nodePrimitives, world.state.everyone, epochs);
  expect(lastBySeq(await processIn(replica, entries, 3))).toEqual([
    'epoch 1',
    'key-not-yet-arrived',
    'key-not-yet-arrived',
  ]);
  isOpen = true;
  expect(await epochs.fetchBoxes()).toBe(true);
  const fresh = replica.fresh();
  const outcomes = lastBySeq(await processIn(fresh, entries, 3));
  expect(outcomes.map((outcome) => outcome.slice(0, 9))).toEqual(['epoch 1', 'message 0', 'message 1']);
  expect([replica.headOf(world.device), replica.size]).toEqual([null, 3]);
  replica.become(fresh);
  expect(replica.headOf(world.device)?.counter).toBe(1);
  expect(epochs.current?.epoch).toBe(1);
  const [outcome] = await processIn(replica, [write()], 1);
  expect(outcome).toMatchObject({ kind: 'message', seq: 4, epoch: 1 });
});

test('a box that came before the relay was lost is told of when it is back', async () => {
  const { statement, makeRing } = await groupWorld();
  const answers = [
    () => true,
    () => {
      throw new ClientError('offline', 'gone');
    },
    () => false,
  ];
  let isOpen = false;
  const ring = { canAsk: () => isOpen, hasBox: () => (answers.shift() as () => boolean)() };
  const { epochs } = await makeRing(nodePrimitives, async () => {}, ring);
  const verified = await epochs.verify(statement.bytes);
  await epochs.adopt(verified);
  await epochs.adopt({ ...verified, epoch: 2 });
  isOpen = true;
  await expect(epochs.fetchBoxes()).rejects.toMatchObject({ code: 'offline' });
  expect(epochs.lacking()).toHaveLength(1);
  expect(await epochs.fetchBoxes()).toBe(true);
});

test('of the epoch that it announces a device has the key, and asks for no box; of any other, it asks', async () => {
  const { statement, epochKey, makeRing } = await groupWorld();
  const { hash } = parseEpochStatement(nodePrimitives, statement.bytes);
  let asked = 0;
  const hasBox = () => {
    asked += 1;
    return true;
  };
  async function adoptWhileAnnouncing(made: { hash: Uint8Array; key: Secret }): Promise<unknown> {
    asked = 0;
    const keyStore = memoryKeyStore();
    const { epochs } = await makeRing(nodePrimitives, async () => {}, { keyStore, hasBox });
    await epochs.whileAnnounced(made, async () => {
      await epochs.adopt(await epochs.verify(statement.bytes));
    });
    return [asked, raw(await epochs.keyOf(1)), epochs.currentKeys === null];
  }
  const made = { hash, key: epochKey() };
  expect(await adoptWhileAnnouncing(made)).toEqual([0, raw(epochKey()), false]);
  expect(() => made.key.use(() => {})).toThrow(expect.objectContaining({ code: 'disposed' }));
  // Somebody else was faster.
  const other = { hash: new Uint8Array(32), key: Secret.own(new Uint8Array(32)) };
  expect(await adoptWhileAnnouncing(other)).toEqual([1, raw(epochKey()), false]);

  asked = 0;
  const { epochs } = await makeRing(nodePrimitives, async () => {}, { hasBox });
  const late = { hash, key: epochKey() };
  await expect(epochs.whileAnnounced(late, () => Promise.reject(new Error('cut off')))).rejects.toThrow(
    'cut off',
  );
  await epochs.adopt(await epochs.verify(statement.bytes));
  expect(asked).toBe(1);
});
