import {
  appendLeaf,
  concatBytes,
  EMPTY_FRONTIER,
  encodeCbor,
  leafHash,
  rootOf,
  type MerkleFrontier,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { createPolicyChange } from '@keytide/key-directory';
import { encodeGroupEntry, type FloorBody, type GroupEntry } from '@keytide/relay-protocol';
import { expect, test } from 'vitest';
import { decodeRecord, encodeRecord, type LogFloor } from '../src/entry.ts';
import { GroupReplica } from '../src/group-replica.ts';
import { fittingFloor } from '../src/log-floor.ts';
import { groupWorld, lastBySeq, makeWriter, processIn } from './group-world.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const world = await groupWorld();
const STARTED_MS = 20_254 * DAY_MS;
const Y_MS = world.state.policy.exportSeconds * 1000;

/** The tree before the entry after these. */
function frontierAfter(entries: readonly GroupEntry[]): MerkleFrontier {
  return entries.reduce(
    (tree, entry) => appendLeaf(primitives, tree, leafHash(primitives, encodeGroupEntry(entry))),
    EMPTY_FRONTIER,
  );
}

function floorAfter(entries: readonly GroupEntry[]): FloorBody {
  const { hashes } = frontierAfter(entries);
  return {
    firstSeq: entries.length + 1,
    statement: world.statement.bytes,
    frontier: concatBytes(...hashes),
  };
}

/** What a device that has nothing of the log yet holds a floor against. */
async function contextAt(nowMs: number, endSeq = 0) {
  const { epochs, directory } = await world.makeRing();
  return { primitives, directory, epochs, endSeq, nowMs };
}

test('a floor is taken when what came before it is older than Y, and not before', async () => {
  const write = makeWriter(world);
  const body = floorAfter([world.statement, write(), write()]);
  const over = await contextAt(STARTED_MS + Y_MS);
  expect(await fittingFloor(body, over)).toEqual({ kind: 'floor', ...body });
  // Clocks that agree, and no more.
  await fittingFloor(body, await contextAt(STARTED_MS + Y_MS - 10 * MINUTE_MS));
  await expect(fittingFloor(body, await contextAt(STARTED_MS + Y_MS - 11 * MINUTE_MS))).rejects.toMatchObject(
    {
      code: 'relay-misbehaved',
      evidence: [body.statement],
    },
  );
});

test('one that is not above what is here, or not of a log so long, or of no statement, is refused', async () => {
  const write = makeWriter(world);
  const body = floorAfter([world.statement, write(), write()]);
  const nowMs = STARTED_MS + 2 * Y_MS;
  const refused = { code: 'relay-misbehaved' };
  await fittingFloor(body, await contextAt(nowMs, 2));
  await expect(fittingFloor(body, await contextAt(nowMs, 3))).rejects.toMatchObject(refused);
  const forged = Uint8Array.from(body.statement, (byte, i) =>
    i === body.statement.length - 1 ? byte ^ 1 : byte,
  );
  for (const wrong of [
    { frontier: body.frontier.slice(32) },
    { firstSeq: 5 },
    { statement: forged },
    { statement: random(200) },
  ])
    await expect(fittingFloor({ ...body, ...wrong }, await contextAt(nowMs))).rejects.toMatchObject(refused);
});

test('a policy of before counts until the day on which it changed', async () => {
  const write = makeWriter(world);
  const body = floorAfter([world.statement, write()]);
  const { state, signer } = world;
  for (const [changedMs, fits] of [
    [STARTED_MS + Y_MS, true],
    [STARTED_MS + Y_MS - DAY_MS, false],
  ] as const) {
    const context = await contextAt(STARTED_MS + Y_MS + DAY_MS);
    const policy = { ...state.policy, exportSeconds: 10 * state.policy.exportSeconds };
    const nowMs = changedMs;
    await context.directory.append([createPolicyChange({ primitives, state, signer, policy, nowMs })]);
    const taken = fittingFloor(body, context);
    if (fits) await taken;
    else await expect(taken).rejects.toMatchObject({ code: 'relay-misbehaved' });
  }
});

test('a replica goes on from a floor: the tree, the chain of its senders, and what a closing names', async () => {
  const write = makeWriter(world);
  const entries = [world.statement, ...Array.from({ length: 6 }, () => write())];
  const whole = await world.makeReplica();
  await processIn(whole, entries, 3);
  for (const held of [0, 2]) {
    const floor: LogFloor = { kind: 'floor', ...floorAfter(entries.slice(0, 4)) };
    const replica = await world.makeReplica();
    const outcomes = [];
    const records = [...entries.slice(0, held), floor, ...entries.slice(4)]
      .map(encodeRecord)
      .map(decodeRecord);
    for await (const outcome of replica.process(records)) outcomes.push(outcome);
    expect(outcomes[held]).toMatchObject({ kind: 'forgotten', seq: held + 1, throughSeq: 4, epoch: 1 });
    expect([replica.size, replica.records]).toEqual([entries.length, records.length]);
    expect(replica.rootAt(4)).toEqual(rootOf(primitives, frontierAfter(entries.slice(0, 4))));
    expect(replica.rootAt(entries.length)).toEqual(whole.rootAt(entries.length));
    // The device had the key of the epoch stored only where it has read the log before.
    const isRead = held > 0;
    expect(replica.headOf(world.device) === null).toBe(!isRead);
    if (!isRead) continue;
    // Nobody is accused of what was forgotten; of what is missing since, the relay is.
    expect(lastBySeq(outcomes).slice(4)).toEqual(
      ['message 3', 'message 4', 'message 5'].map((m) => `${m} missing []`),
    );
    const { link } = replica.headOf(world.device)!;
    const named = (counter: number) => ({
      group: { size: replica.size, root: replica.rootAt(replica.size)! },
      senders: [{ device: world.device, counter, link }],
    });
    expect(replica.compare(named(5)).missing).toEqual([]);
    expect(replica.compare(named(7)).missing).toEqual([{ device: world.device, from: 6, to: 7 }]);
  }
});

test('an epoch from before the floor is over, and one that is unknown is not excused', async () => {
  const { epochs } = await world.makeRing();
  const replica = new GroupReplica(primitives, world.state.everyone, epochs);
  const floor: LogFloor = { kind: 'floor', ...floorAfter([world.statement, makeWriter(world)()]) };
  await processIn(replica, [floor], 1);
  expect(epochs.keysOf(1)).toBe('ask-an-admin');
  expect([epochs.keysOf(0), epochs.isExpired(0)]).toEqual(['expired-by-policy', true]);
  expect([epochs.keysOf(2), epochs.isExpired(2)]).toEqual(['tampered', false]);
});

test('a floor that names another statement for an epoch that is known here is a fork, with the proof of it', async () => {
  const body = floorAfter([world.statement, makeWriter(world)(), makeWriter(world)()]);
  const nowMs = STARTED_MS + 2 * Y_MS;
  const forked = { ...body, statement: world.rival };
  // Whoever knows of neither has to take the one that is shown.
  await fittingFloor(forked, await contextAt(nowMs));
  const context = await contextAt(nowMs);
  await context.epochs.adopt(await context.epochs.verify(world.statement.bytes));
  await fittingFloor(body, context);
  await expect(fittingFloor(forked, context)).rejects.toMatchObject({
    code: 'relay-forked',
    evidence: [world.rival],
  });
});

test('a stored floor that is not one is damage', () => {
  for (const bytes of [
    Uint8Array.of(2),
    Uint8Array.of(2, 0x80),
    concatBytes(Uint8Array.of(2), encodeCbor(['a', random(3), random(3)])),
    Uint8Array.of(3, 1),
  ])
    expect(() => decodeRecord(bytes)).toThrow(expect.objectContaining({ code: 'store-damaged' }));
});
