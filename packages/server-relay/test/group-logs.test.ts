import {
  appendLeaf,
  concatBytes,
  deviceId,
  EMPTY_FRONTIER,
  groupId,
  idBytes,
  leafHash,
  orgId,
  type GroupId,
  type OrgId,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { decodeRelayFrame, type RelayFrame } from '@keytide/relay-protocol';
import { createExportStatement } from '@keytide/key-directory';
import { fakeClock, memoryDatabase, seededRandom, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAppendQueue } from '../src/append-queue.ts';
import { createDayKeys } from '../src/day-keys.ts';
import { RelayError } from '../src/errors.ts';
import { forgetOver } from '../src/expiry.ts';
import { createGroupLogs } from '../src/group-logs.ts';
import type { LogEvent } from '../src/log-event.ts';
import { startLogForgetting } from '../src/log-forgetting.ts';
import { addRetentionRoutes } from '../src/retention-routes.ts';
import { localKeyWrapper, type KeyWrapper } from '../src/key-wrapper.ts';
import type { SqlDatabase } from '../src/sql/database.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { openDatabase } from '../src/sql/open.ts';
import { sqlRelayStore } from '../src/sql/store.ts';
import type { RelayStore } from '../src/store.ts';
import { createSubscription } from '../src/subscription.ts';
import { announceOf } from './group.ts';

const DAY_MS = 86_400_000;
const NOON = Date.UTC(2030, 0, 1, 12);
const random = seededRandom('group logs');
const wrappingKey = random(32);
const retention = { exportSeconds: 10 * 86_400, exportWaived: true } as const;
let database: SqlDatabase;
let store: RelayStore;

beforeAll(async () => {
  database = await openDatabase(memoryDatabase());
  await migrate(database, primitives, await readMigrations(), 1);
  store = sqlRelayStore(database);
});
afterAll(() => database.close());

/** A node of a relay: its keys, its clock, and what it makes of group logs. */
function nodeOf(nowMs = NOON, over: RelayStore = store, key = wrappingKey) {
  const clock = fakeClock(nowMs);
  const keys = createDayKeys({ store: over, wrapper: localKeyWrapper(primitives, random, key), random });
  const retentionOf = () => Promise.resolve(retention);
  const logs = createGroupLogs({ store: over, keys, primitives, random, clock, retentionOf });
  const failures: unknown[] = [];
  const failed = (org: OrgId): void => void failures.push(org);
  const forgetAll = () => forgetOver({ store: over, logs, keys, clock, retentionOf, failed });
  const forget = async (of: OrgId) => (await forgetAll()).filter(({ org }) => org === of);
  return { clock, keys, logs, forget, failures };
}

type Node = ReturnType<typeof nodeOf>;

/** A group of an organisation of its own. */
async function startedGroup(node: Node) {
  const org = orgId(random(32));
  const group = groupId(random(32));
  const item = (bytes = random(300)) => ({ org, group, epoch: 1, messageId: random(16), envelope: bytes });
  const boxes = [random(100), random(200)].map((box) => ({ device: deviceId(random(32)), box }));
  const first = { org, group, epoch: 1, messageId: random(16), statement: random(400), boxes };
  await node.logs.announceEpoch(first);
  return { org, group, item, first };
}

/** The bytes of a log from its beginning, or its floor. */
async function bytesOf({ logs }: Node, { org, group }: Awaited<ReturnType<typeof startedGroup>>) {
  const bytes: Uint8Array[] = [];
  for (let after = 0; ;) {
    const { entries } = await logs.readEntries(org, group, after);
    if (entries.length === 0) return bytes;
    bytes.push(...entries.map((entry) => entry.bytes));
    after = entries.at(-1)?.seq ?? 0;
  }
}

/** The frontier of a log of a statement and envelopes. */
function treeOf([statement, ...envelopes]: readonly Uint8Array[]): Uint8Array {
  const leaf = (kind: number, bytes: Uint8Array = new Uint8Array(0)) =>
    leafHash(primitives, concatBytes(Uint8Array.of(kind), bytes));
  const leaves = [leaf(1, statement), ...envelopes.map((bytes) => leaf(0, bytes))];
  const tree = leaves.reduce((before, one) => appendLeaf(primitives, before, one), EMPTY_FRONTIER);
  return concatBytes(...tree.hashes);
}

test('gives back what came; the database has none of it', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const items = [at.item(), at.item(), at.item(random(0))];
  await node.logs.appendEnvelopes(items);
  const { org, group, first } = at;
  expect(await bytesOf(nodeOf(), at)).toEqual([first.statement, ...items.map(({ envelope }) => envelope)]);
  expect(await nodeOf().logs.readNewestStatement(org, group)).toEqual(first.statement);
  for (const { device, box } of first.boxes)
    expect(await nodeOf().logs.readBox({ org, group, epoch: 1, device })).toEqual(box);

  const stored = await database.query(
    'select bytes from entries where org = $1 union select box from boxes where org = $1',
    [idBytes(org)],
  );
  const dump = stored.map((row) => Buffer.from(row['bytes'] as Uint8Array).toString('hex')).join(' ');
  expect(stored.length).toBe(6);
  for (const bytes of [
    first.statement,
    ...items.slice(0, 2).map(({ envelope }) => envelope),
    first.boxes[0]!.box,
  ])
    expect(dump).not.toContain(Buffer.from(bytes.subarray(0, 16)).toString('hex'));
});

test('the same bytes under the same id are the same entry, sealed anew or not; others are refused', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const one = at.item();
  expect(await node.logs.appendEnvelopes([one])).toEqual([{ seq: 2, repeated: false }]);
  expect(await nodeOf().logs.appendEnvelopes([one])).toEqual([{ seq: 2, repeated: true }]);
  const other = { ...one, envelope: random(300) };
  expect(await node.logs.appendEnvelopes([other, at.item()])).toEqual([
    { refused: 'message-id-reused' },
    { seq: 3, repeated: false },
  ]);
  expect(await node.logs.announceEpoch(at.first)).toEqual({ seq: 1, repeated: true });
});

test('nothing opens at another place', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const { org, group, first } = at;
  await node.logs.appendEnvelopes([at.item(), at.item()]);
  const elsewhere = groupId(random(32));
  const read = (where: GroupId = group) => node.logs.readEntries(org, where, 0);
  const damaged = { code: 'data-damaged' };
  const mine = [idBytes(org), idBytes(group)] as const;
  /** Changes the database, expects damage, and changes it back. */
  async function moved(there: string, back: string, look: () => Promise<unknown> = read): Promise<void> {
    await look();
    await database.query(there, mine);
    await expect(look()).rejects.toMatchObject(damaged);
    await database.query(back, mine);
    await look();
  }
  const swap = `update entries e set bytes = o.bytes from entries o
    where e.org = $1 and e.grp = $2 and o.org = e.org and o.grp = e.grp and e.seq in (2, 3) and o.seq = 5 - e.seq`;
  await moved(swap, swap);
  const kind = (from: number, to: number): string =>
    `update entries set kind = ${to} where org = $1 and grp = $2 and seq = 2 and kind = ${from}`;
  await moved(kind(0, 1), kind(1, 0));
  const flip = `update entries set bytes = set_byte(bytes, 40, 255 - get_byte(bytes, 40)) where org = $1 and grp = $2`;
  await moved(flip, flip);
  const boxes = `update boxes b set box = o.box from boxes o where b.org = $1 and b.grp = $2
    and o.org = b.org and o.grp = b.grp and o.device <> b.device`;
  const [{ device }] = first.boxes as [(typeof first.boxes)[0]];
  await moved(boxes, boxes, () => node.logs.readBox({ org, group, epoch: 1, device }));
  // A whole log under another group's name.
  await node.logs.announceEpoch({ ...first, group: elsewhere });
  const other = [...mine, idBytes(elsewhere)];
  await database.query(
    'update entries e set bytes = o.bytes from entries o where e.org = $1 and e.grp = $3 and o.org = $1 and o.grp = $2 and o.seq = e.seq',
    other,
  );
  await expect(read(elsewhere)).rejects.toMatchObject(damaged);
});

test('the wrapping key opens it, and no other', async () => {
  const at = await startedGroup(nodeOf());
  const { org, group } = at;
  const stranger = nodeOf(NOON, store, random(32));
  await expect(stranger.logs.readEntries(org, group, 0)).rejects.toMatchObject({ code: 'data-key-missing' });
  // The key of another day does not pass for it.
  await database.query('update day_keys set day = day + 1 where org = $1', [idBytes(org)]);
  await database.query('update entries set day = day where org = $1', [idBytes(org)]);
  const day = Math.floor(NOON / DAY_MS) + 1;
  await expect(nodeOf().keys.opening(org, day)).rejects.toMatchObject({ code: 'data-damaged' });
});

test('a node whose clock is behind seals for the day that the log is on', async () => {
  const ahead = nodeOf(NOON + DAY_MS);
  const behind = nodeOf(NOON);
  const at = await startedGroup(ahead);
  const items = [at.item(), at.item(), at.item()];
  expect(await behind.logs.appendEnvelopes(items.slice(0, 2))).toEqual([
    { seq: 2, repeated: false },
    { seq: 3, repeated: false },
  ]);
  expect(await behind.logs.appendEnvelopes(items.slice(2))).toEqual([{ seq: 4, repeated: false }]);
  expect(await behind.logs.announceEpoch({ ...at.first, epoch: 2, messageId: random(16) })).toEqual({
    seq: 5,
    repeated: false,
  });
  expect((await bytesOf(nodeOf(), at)).slice(1, 4)).toEqual(items.map(({ envelope }) => envelope));
});

test('forgets what is older than Y, and the key leaves the process that forgets', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const { org, group, first } = at;
  const { device } = first.boxes[0]!;
  const day = Math.floor(NOON / DAY_MS);
  const early = at.item();
  await node.logs.appendEnvelopes([early]);
  node.clock.advance(5 * DAY_MS);
  const later = at.item();
  await node.logs.appendEnvelopes([later]);
  expect(await node.logs.readFloor(org, group)).toBeNull();
  // The last moment of the first day, and Y, are over at midnight.
  node.clock.advance(6 * DAY_MS - DAY_MS / 2 - 1);
  expect(await node.forget(org)).toEqual([]);
  expect(await bytesOf(node, at)).toHaveLength(3);
  node.clock.advance(1);
  const key = await node.keys.opening(org, day);
  expect(await node.forget(org)).toEqual([{ org, group, firstSeq: 1, lastSeq: 2 }]);
  expect(() => key?.use(() => null)).toThrow(expect.objectContaining({ code: 'disposed' }));
  expect(await node.keys.opening(org, day)).toBeNull();
  expect(await bytesOf(node, at)).toEqual([later.envelope]);
  const frontier = treeOf([first.statement, early.envelope]);
  const { statement } = first;
  expect(await nodeOf().logs.readFloor(org, group)).toEqual({ firstSeq: 3, statement, frontier });
  expect(await node.logs.readBox({ org, group, epoch: 1, device })).toBeNull();
  expect(await node.forget(org)).toEqual([]);
  // The next statement names it, however long nobody wrote.
  for (let silence = 0; silence < 3; silence += 1) {
    expect(await nodeOf().logs.readNewestStatement(org, group)).toEqual(first.statement);
    node.clock.advance(40 * DAY_MS);
    await node.forget(org);
  }
  expect(await bytesOf(node, at)).toEqual([]);
  expect((await node.logs.readEntries(org, group, 0)).headSeq).toBe(3);
  const whole = treeOf([first.statement, early.envelope, later.envelope]);
  expect(await nodeOf().logs.readFloor(org, group)).toEqual({ firstSeq: 4, statement, frontier: whole });
  const left = await database.query(
    "select c.relname from pg_class c where c.relname ~ '^(entries|boxes)_5_[0-9]+$'",
  );
  expect(left).toEqual([]);
});

test('a clock that is a year ahead files nothing further ahead than its epoch is written in, and repeats nothing', async () => {
  const policy = { blockSeconds: 86_400, retentionSeconds: 864_000, exportSeconds: 864_000 };
  const world = seededWorld({ seed: 'a year ahead', members: 1, startMs: NOON, policy });
  const { org } = world;
  const group = world.state.everyone;
  const [{ id: author, signer }] = world.members[0].devices;
  const announced = await announceOf(world, { id: author, signer } as never, 1);
  const right = nodeOf();
  const ahead = nodeOf(NOON + 365 * DAY_MS);
  const today = Math.floor(NOON / DAY_MS);
  const at = (epoch: number) => ({
    ...{ org, group, epoch, messageId: random(16) },
    envelope: random(300),
  });
  const days = async () => (await store.listLogDays(org, today + 1_000)).map(({ day }) => day - today);

  await right.logs.announceEpoch({ ...announced, org, epoch: 1 });
  const one = at(1);
  await right.logs.appendEnvelopes([one]);
  // Twice: from the log, and from memory.
  await ahead.logs.appendEnvelopes([at(1)]);
  await ahead.logs.appendEnvelopes([at(1)]);
  expect(await ahead.logs.appendEnvelopes([one])).toEqual([{ seq: 2, repeated: true }]);
  // The block ends at midnight; then another one, and a day for wrong clocks.
  expect(await days()).toEqual([0, 3]);
  world.clock.advance(DAY_MS);
  const previous = { epoch: 1, hash: announced.hash };
  const next = await announceOf(world, { id: author, signer } as never, 2, previous);
  await ahead.logs.announceEpoch({ ...next, org, epoch: 2 });
  await ahead.logs.appendEnvelopes([at(1), at(2)]);
  expect(await days()).toEqual([0, 3, 4]);
  // Put right, the log goes on where it is, and is forgotten two blocks and a day late.
  right.clock.advance(DAY_MS);
  expect(await right.logs.appendEnvelopes([at(2)])).toEqual([{ seq: 8, repeated: false }]);
  expect(await days()).toEqual([0, 3, 4]);
  // What another node has announced since is not measured by the epoch before.
  world.clock.advance(9 * DAY_MS);
  const last = await announceOf(world, { id: author, signer } as never, 3, { epoch: 2, hash: next.hash });
  await nodeOf(NOON + 10 * DAY_MS).logs.announceEpoch({ ...last, org, epoch: 3 });
  right.clock.advance(10 * DAY_MS);
  await right.logs.appendEnvelopes([at(3)]);
  expect(await days()).toEqual([0, 3, 4, 10, 11]);
});

test('nothing is forgotten by a clock that may be ahead, and the log says so', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  node.clock.advance(11 * DAY_MS);
  const { logs, keys, clock } = node;
  const retentionOf = () => Promise.resolve(retention);
  const events: LogEvent[] = [];
  const log = (event: LogEvent): void => void events.push(event);
  let isGood = false;
  const mayForget = () => Promise.resolve(isGood);
  const warn = () => Promise.resolve();
  const signer = primitives.signer(random(32));
  const forgetting = startLogForgetting({
    ...{ warn, store, logs, keys, clock, retentionOf, log, mayForget, primitives, signer },
  });
  expect(await forgetting.round()).toBe(false);
  expect(forgetting.isBehind).toBe(true);
  expect(events).toEqual([{ event: 'failed', where: 'forget-logs', code: 'clock-ahead' }]);
  expect(await bytesOf(nodeOf(), at)).toHaveLength(1);
  isGood = true;
  await forgetting.round();
  await forgetting.stop();
  expect(await bytesOf(nodeOf(), at)).toEqual([]);
});

test('an export is kept by the membership log that it was judged by, or not at all', async () => {
  const world = seededWorld({ seed: 'exports', members: 1, startMs: NOON });
  const { org, state } = world;
  const group = state.everyone;
  const [{ id: device, signer }] = world.members[0].devices;
  const growth = (place: number) => ({
    hashes: [{ level: 0, place, hash: random(32) }],
    ...{ nodes: [{ hash: random(32), bytes: random(98) }], checkpoint: random(300) },
  });
  await store.createOrganisation({ org, wire: random(99), growth: growth(0), nowMs: NOON });
  const boxes = [{ device, box: random(9) }];
  const first = { org, group, epoch: 1, messageId: random(16), statement: random(99), boxes };
  await nodeOf().logs.announceEpoch(first);
  let between = (): Promise<void> => Promise.resolve();
  const readEntries: RelayStore['readEntries'] = async (...asked) => {
    await between();
    return await store.readEntries(...asked);
  };
  const handlers: ((call: unknown) => Promise<unknown>)[] = [];
  const routes = { add: (_: unknown, handle: never) => void handlers.push(handle), list: () => [] };
  const blobs = { held: () => Promise.resolve({ count: 0, sizeBytes: 0 }) };
  addRetentionRoutes(routes, { store: { ...store, readEntries }, blobs, primitives, clock: world.clock });
  const caller = { org, state, device: state.devices.get(device) };
  const root = random(32);
  const said = { org, group, throughSeq: 1, root, device, exportedMs: NOON };
  const says = () =>
    handlers[1]?.({ caller, body: { statement: createExportStatement(primitives, signer, said) } });
  const exported = async () => (await store.listLogDays(org, 1e6))[0]?.exportedThrough;
  between = () =>
    store.appendLogEntry({ org, index: state.size, wire: random(99), growth: growth(1), ended: [] });
  await expect(says()).rejects.toMatchObject({ code: 'head-moved' });
  expect(await exported()).toBe(0);
});

test('a relay that stops does one day of a round to its end, and the others after its next start', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const { org, group } = at;
  for (let day = 0; day < 3; day += 1) {
    await node.logs.appendEnvelopes([at.item()]);
    node.clock.advance(DAY_MS);
  }
  node.clock.advance(20 * DAY_MS);
  const { keys, clock } = node;
  const signer = primitives.signer(random(32));
  const retentionOf = (of: OrgId) => Promise.resolve(of === org ? retention : null);
  const warn = () => Promise.resolve();
  const given = { warn, store, keys, clock, retentionOf, log: () => undefined, primitives, signer };
  const mayForget = () => Promise.resolve(true);
  let stopped: Promise<void> | null = null;
  const keepFloor: typeof node.logs.keepFloor = async (...floor) => {
    await node.logs.keepFloor(...floor);
    stopped ??= forgetting.stop();
  };
  const forgetting = startLogForgetting({ ...given, mayForget, logs: { ...node.logs, keepFloor } });
  await forgetting.round();
  await stopped;
  expect((await node.logs.readFloor(org, group))?.firstSeq).toBe(3);
  expect(await bytesOf(node, at)).toHaveLength(2);
  const next = startLogForgetting({ ...given, mayForget, logs: node.logs });
  expect(await next.round()).toBe(true);
  await next.stop();
  expect(await bytesOf(node, at)).toEqual([]);
  expect((await store.listDeletions(org)).map(({ lastSeq }) => lastSeq)).toEqual([4, 2]);
});

test('a policy that comes to keep more while the floors are made ready is the one that counts', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  node.clock.advance(11 * DAY_MS);
  const { logs, keys, clock } = node;
  const failed = (org: OrgId): void => void node.failures.push(org);
  let exportSeconds = 10 * 86_400;
  const retentionOf = () => Promise.resolve({ exportSeconds, exportWaived: true } as const);
  const keepFloor: typeof logs.keepFloor = async (org, move) => {
    await logs.keepFloor(org, move);
    if (org === at.org) exportSeconds *= 2;
  };
  await forgetOver({ store, logs: { keepFloor }, keys, clock, retentionOf, failed });
  expect(exportSeconds).toBe(20 * 86_400);
  expect(await bytesOf(nodeOf(), at)).toEqual([at.first.statement]);
});

test('a day that another node has forgotten is not written to with the key from memory', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const other = nodeOf(NOON + 11 * DAY_MS);
  await other.forget(at.org);
  const late = at.item();
  expect(await node.logs.appendEnvelopes([late])).toEqual([{ seq: 2, repeated: false }]);
  expect(await bytesOf(nodeOf(), at)).toEqual([late.envelope]);
  // A group that has no day yet may still begin on that one, under a key that is there.
  const fresh = { ...at, group: groupId(random(32)) };
  const first = { ...at.first, group: fresh.group };
  expect(await node.logs.announceEpoch(first)).toEqual({ seq: 1, repeated: false });
  expect(await bytesOf(nodeOf(), fresh)).toEqual([first.statement]);
});

test('a day that is forgotten while somebody reads it is a gap, and nothing worse', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const { org, group } = at;
  node.clock.advance(5 * DAY_MS);
  const later = at.item();
  await node.logs.appendEnvelopes([later]);
  let isFirst = true;
  const slow: RelayStore = {
    ...store,
    async readEntries(...where) {
      const page = await store.readEntries(...where);
      if (isFirst) await nodeOf(NOON + 11 * DAY_MS).forget(org);
      isFirst = false;
      return page;
    },
  };
  const page = await nodeOf(NOON, slow).logs.readEntries(org, group, 0);
  expect(page.entries.map(({ seq, bytes }) => ({ seq, bytes }))).toEqual([{ seq: 2, bytes: later.envelope }]);
});

test('a day whose table somebody dropped is a gap, and the log goes on with the next one', async () => {
  const alone = NOON + 2_000 * DAY_MS;
  const node = nodeOf(alone);
  const at = await startedGroup(node);
  const { org, group } = at;
  const written: Uint8Array[] = [];
  for (let days = 0; days < 4; days += 1) {
    const items = [at.item(), at.item()];
    await node.logs.appendEnvelopes(items);
    written.push(...items.map(({ envelope }) => envelope));
    node.clock.advance(DAY_MS);
  }
  for (const days of [1, 2]) await database.query(`drop table entries_5_${alone / DAY_MS - 0.5 + days}`);
  expect(await bytesOf(nodeOf(alone), at)).toEqual([
    at.first.statement,
    ...written.slice(0, 2),
    ...written.slice(6),
  ]);
  const frames: RelayFrame[] = [];
  const send = (bytes: Uint8Array): void => void frames.push(decodeRelayFrame(bytes));
  const none = { isLagging: () => false, isBehind: () => false, drained: () => Promise.resolve() };
  const caughtUp = new Promise<void>((resolve, failed) => {
    createSubscription({
      ...{ group, afterSeq: 0, delivered: () => undefined, failed },
      outlet: { ...none, send: (bytes) => (send(bytes), frames.at(-1)?.type === 'caught-up' && resolve()) },
      readPage: (after) => node.logs.readEntries(org, group, after),
    }).start();
  });
  await caughtUp;
  expect(frames).toMatchObject([
    { type: 'head', headSeq: 9 },
    { type: 'entries', firstSeq: 1 },
    { type: 'gap', firstAvailableSeq: 8 },
    { type: 'entries', firstSeq: 8 },
    { type: 'caught-up', headSeq: 9 },
  ]);
  await database.query(`drop table entries_5_${alone / DAY_MS - 0.5 + 3}`);
  expect(await node.logs.readEntries(org, group, 3)).toMatchObject({ entries: [], headSeq: 9 });
});

test('of nodes that forget at once, the slower one takes nothing from the floor', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const { org, group, first } = at;
  const early = at.item();
  await node.logs.appendEnvelopes([early]);
  node.clock.advance(5 * DAY_MS);
  await node.logs.appendEnvelopes([at.item()]);
  const lateMs = NOON + 11 * DAY_MS;
  let isFirst = true;
  const slow: RelayStore = {
    ...store,
    async readEntries(...where) {
      if (isFirst && where[0] === org) {
        isFirst = false;
        expect(await nodeOf(lateMs).forget(org)).toEqual([{ org, group, firstSeq: 1, lastSeq: 2 }]);
      }
      return store.readEntries(...where);
    },
  };
  const second = nodeOf(lateMs, slow);
  expect(await second.forget(org)).toEqual([]);
  expect(isFirst).toBe(false);
  expect(second.failures).not.toContain(org);
  const frontier = treeOf([first.statement, early.envelope]);
  const floor = { firstSeq: 3, statement: first.statement, frontier };
  expect(await nodeOf(lateMs).logs.readFloor(org, group)).toEqual(floor);
});

test('an organisation whose key does not come costs the others of the batch nothing', async () => {
  const [stuck, well] = [await startedGroup(nodeOf()), await startedGroup(nodeOf())];
  const real = localKeyWrapper(primitives, random, wrappingKey);
  let wraps = 0;
  const wrapper: KeyWrapper = {
    ...real,
    async wrap(key, context) {
      if (Buffer.from(context).includes(Buffer.from(idBytes(stuck.org))))
        throw new RelayError('key-service-failed', 'no answer', { reason: 'timeout' });
      wraps += 1;
      return real.wrap(key, context);
    },
  };
  const keys = createDayKeys({ store, wrapper, random });
  const retentionOf = () => Promise.resolve(retention);
  const clock = fakeClock(NOON + DAY_MS);
  const logs = createGroupLogs({ store, keys, primitives, random, clock, retentionOf });
  const stored: number[] = [];
  const queue = createAppendQueue({
    logs,
    lanes: 1,
    stored: ({ firstSeq, entries }) => void stored.push(firstSeq, entries.length),
    repeated: () => undefined,
  });
  const items = [well.item(), stuck.item(), well.item(), stuck.item()];
  const outcomes = await Promise.allSettled(items.map((item) => queue.append([item])));
  expect(outcomes).toMatchObject([
    { value: [{ seq: 2, repeated: false }] },
    { reason: { code: 'key-service-failed' } },
    { value: [{ seq: 3, repeated: false }] },
    { reason: { code: 'key-service-failed' } },
  ]);
  expect(stored).toEqual([2, 2]);
  expect(wraps).toBe(1);
  expect(await bytesOf(nodeOf(), stuck)).toEqual([stuck.first.statement]);
});

test('a log that is damaged keeps neither its own days nor anybody else', async () => {
  const node = nodeOf();
  const [damaged, whole] = [await startedGroup(node), await startedGroup(node)];
  const { org } = damaged;
  await database.query('update entries set bytes = $2 where org = $1', [idBytes(org), random(99)]);
  const late = nodeOf(NOON + 11 * DAY_MS);
  expect(await late.forget(org)).toEqual([{ org, group: damaged.group, firstSeq: 1, lastSeq: 1 }]);
  expect(late.failures).toContain(org);
  expect(late.failures).not.toContain(whole.org);
  expect((await late.logs.readEntries(whole.org, whole.group, 0)).entries).toEqual([]);
  expect(await late.logs.readFloor(whole.org, whole.group)).toMatchObject({ firstSeq: 2 });
});

test('where only an envelope is damaged, the group goes on from its statement, and the floor says so', async () => {
  const node = nodeOf();
  const at = await startedGroup(node);
  const { org, group, first } = at;
  await node.logs.appendEnvelopes([at.item()]);
  await database.query('update entries set bytes = $2 where org = $1 and kind = 0', [
    idBytes(org),
    random(99),
  ]);
  for (const days of [11, 30]) {
    const late = nodeOf(NOON + days * DAY_MS);
    await late.forget(org);
    // Once: what is gone is no news when the floor moves on.
    expect(late.failures.includes(org)).toBe(days === 11);
    expect(await late.logs.readNewestStatement(org, group)).toEqual(first.statement);
    await expect(late.logs.readFloor(org, group)).rejects.toMatchObject({ code: 'data-damaged' });
  }
});

test('what appends is planned once, also after the newest migration', async () => {
  // A function that is replaced loses its settings.
  const rows = await database.query(
    "select proname, array_to_string(proconfig, ' ') as settings from pg_proc where proname in ('append_entry', 'append_entries')",
  );
  expect(rows.map((row) => row['proname'])).toHaveLength(2);
  for (const row of rows) expect(row['settings']).toContain('plan_cache_mode=force_generic_plan');
});

test('a statement is read for what is written in its epoch once, and not by the node that stored it', async () => {
  const reads: string[] = [];
  const counted: RelayStore = {
    ...store,
    readNewestStatement: (org, group) => (reads.push(group), store.readNewestStatement(org, group)),
  };
  const first = nodeOf(NOON, counted);
  const at = await startedGroup(first);
  for (let count = 0; count < 2; count += 1) await first.logs.appendEnvelopes([at.item(), at.item()]);
  expect(reads).toEqual([]);
  const other = nodeOf(NOON, counted);
  await other.logs.appendEnvelopes([at.item()]);
  await other.logs.appendEnvelopes([at.item()]);
  expect(reads).toEqual([at.group]);
  // Of a newer epoch, or one that is not there, nothing is known yet.
  await first.logs.announceEpoch({ ...at.first, epoch: 2, messageId: random(16) });
  const [later, unknown] = [
    { ...at.item(), epoch: 2 },
    { ...at.item(), epoch: 3 },
  ];
  expect(await first.logs.appendEnvelopes([later])).toMatchObject([{ repeated: false }]);
  expect(await other.logs.appendEnvelopes([later])).toMatchObject([{ repeated: true }]);
  expect(reads).toEqual([at.group, at.group]);
  expect(await first.logs.appendEnvelopes([unknown])).toEqual([{ refused: 'unknown-epoch' }]);
  expect(reads).toHaveLength(3);
});
