import {
  appendLeaf,
  concatBytes,
  EMPTY_FRONTIER,
  groupId,
  idBytes,
  leafHash,
  orgId,
  type GroupId,
  type OrgId,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { fakeClock, memoryDatabase, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createDayKeys } from '../src/day-keys.ts';
import { RelayError } from '../src/errors.ts';
import { forgetOver } from '../src/expiry.ts';
import { createGroupLogs } from '../src/group-logs.ts';
import { keepTrees, type KeepTreesOptions } from '../src/keep-trees.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import { startLogForgetting } from '../src/log-forgetting.ts';
import type { SqlDatabase } from '../src/sql/database.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { openDatabase } from '../src/sql/open.ts';
import { sqlRelayStore } from '../src/sql/store.ts';
import type { RelayStore } from '../src/store.ts';

const DAY_MS = 86_400_000;
const NOON = Date.UTC(2030, 0, 1, 12);
const Y_DAYS = 3;
const retention = { exportSeconds: Y_DAYS * 86_400, exportWaived: true } as const;
const retentionOf = () => Promise.resolve(retention);
let database: SqlDatabase;
let store: RelayStore;

beforeAll(async () => {
  database = await openDatabase(memoryDatabase());
  await migrate(database, primitives, await readMigrations(), 1);
  store = sqlRelayStore(database);
});
afterAll(() => database.close());

/** A relay with one organisation, and what its groups have been given. */
function relayWith(seed: string) {
  const random = seededRandom(seed);
  const wrapper = localKeyWrapper(primitives, random, random(32));
  const clock = fakeClock(NOON);
  const org = orgId(random(32));
  const written = new Map<GroupId, Uint8Array[]>();
  const nodeOn = (over: RelayStore, nodeClock = clock) => {
    const keys = createDayKeys({ store: over, wrapper, random });
    const logs = createGroupLogs({ store: over, keys, primitives, random, clock: nodeClock, retentionOf });
    return { store: { ...over, listLogOrgs: () => Promise.resolve([org]) }, keys, logs, clock: nodeClock };
  };
  const node = nodeOn(store);
  const failures: unknown[] = [];
  const failed = (_org: OrgId, error: unknown): void => void failures.push(error);
  return {
    ...{ org, random, clock, node, nodeOn, written, failures },
    async start(): Promise<GroupId> {
      const group = groupId(random(32));
      written.set(group, []);
      await this.announce(group, 1);
      return group;
    },
    async announce(group: GroupId, epoch: number): Promise<void> {
      const statement = random(200);
      await node.logs.announceEpoch({ org, group, epoch, messageId: random(16), statement, boxes: [] });
      written.get(group)?.push(concatBytes(Uint8Array.of(1), statement));
    },
    async write(group: GroupId, count: number, by = node): Promise<void> {
      const messages = Array.from({ length: count }, () => {
        const envelope = random(60);
        return { org, group, epoch: 1, messageId: random(16), envelope };
      });
      await by.logs.appendEnvelopes(messages);
      const entries = messages.map(({ envelope }) => concatBytes(Uint8Array.of(0), envelope));
      written.get(group)?.push(...entries);
    },
    keep: (options: Partial<KeepTreesOptions> = {}) =>
      keepTrees({ ...node, primitives, failed, signal: new AbortController().signal, ...options }),
    forget: (over = node) => forgetOver({ ...over, retentionOf, failed }),
    /** The floor of a log: where it begins, and its frontier by every entry before. */
    floorOf(group: GroupId, firstSeq: number): Uint8Array {
      const entries = written.get(group)?.slice(0, firstSeq - 1) ?? [];
      const leaves = entries.map((entry) => leafHash(primitives, entry));
      const tree = leaves.reduce((before, leaf) => appendLeaf(primitives, before, leaf), EMPTY_FRONTIER);
      return concatBytes(...tree.hashes);
    },
  };
}

type Relay = ReturnType<typeof relayWith>;

/** The log begins there, and what it had before is what was written. */
async function expectFloor(relay: Relay, group: GroupId, firstSeq?: number): Promise<void> {
  const floor = await relay.node.logs.readFloor(relay.org, group);
  if (firstSeq !== undefined) expect(floor?.firstSeq).toBe(firstSeq);
  if (floor !== null) expect(floor.frontier).toEqual(relay.floorOf(group, floor.firstSeq));
}

/** Nobody opens an envelope of a group before a seq any more. */
async function damage({ org, random }: Relay, group: GroupId, beforeSeq: number): Promise<void> {
  await database.query(
    'update entries set bytes = $3 where org = $1 and grp = $2 and kind = 0 and seq < $4',
    [idBytes(org), idBytes(group), random(99), beforeSeq],
  );
}

test('the floors of random logs are those of what was written, wherever the keeping of trees was broken off', async () => {
  let [cuts, floors] = [0, 0];
  for (const seed of ['trees 1', 'trees 2', 'trees 3']) {
    const relay = relayWith(seed);
    const { clock, node, org } = relay;
    const below = (end: number): number => (relay.random(1)[0] as number) % end;
    const groups = [await relay.start(), await relay.start()];
    for (let day = 0; day < 10; day += 1) {
      for (const group of groups) {
        if (below(4) > 0) await relay.write(group, below(12));
        if (below(4) === 0) await relay.announce(group, ((await epochOf(relay, group)) ?? 0) + 1);
      }
      clock.advance(DAY_MS);
      let left = below(2) === 0 ? Infinity : below(8);
      const isOver = (): boolean => (left -= 1) < 0;
      const stopping = new AbortController();
      const readEntries: typeof node.logs.readEntries = (...at) => {
        if (isOver()) stopping.abort();
        return node.logs.readEntries(...at);
      };
      const dying: RelayStore = {
        ...store,
        async keepTree(...tree) {
          if (isOver()) throw new RelayError('database-failed', 'it died');
          await store.keepTree(...tree);
        },
      };
      const how = below(4);
      const step = 1 + below(5);
      if (how === 1) await relay.keep({ logs: { readEntries }, signal: stopping.signal, step });
      if (how === 2) await relay.keep({ store: relay.nodeOn(dying).store, step, failed: () => (cuts += 1) });
      if (how === 3) await Promise.all([relay.keep({ step }), relay.keep({ step: 1 + step })]);
      await relay.forget();
      for (const group of groups) {
        await expectFloor(relay, group);
        if ((await node.logs.readFloor(org, group)) !== null) floors += 1;
      }
    }
    expect(relay.failures, seed).toEqual([]);
  }
  expect([cuts > 0, floors > 30]).toEqual([true, true]);
});

async function epochOf({ node, org }: Relay, group: GroupId): Promise<number> {
  return (await node.logs.readEntries(org, group, 0)).epoch;
}

test('of a day whose tree is kept nothing is read when it is forgotten; of one whose tree is not, all that is missing', async () => {
  const relay = relayWith('not read');
  const group = await relay.start();
  await relay.write(group, 5);
  relay.clock.advance(DAY_MS);
  await relay.keep();
  await relay.write(group, 3);
  const reads = new Set<number>();
  const watched: RelayStore = {
    ...store,
    readEntries(org, of, afterSeq) {
      reads.add(afterSeq);
      return store.readEntries(org, of, afterSeq);
    },
  };
  relay.clock.advance(Y_DAYS * DAY_MS);
  await damage(relay, group, 7);
  await relay.forget(relay.nodeOn(watched));
  expect([...reads]).toEqual([]);
  await expectFloor(relay, group, 7);
  relay.clock.advance(DAY_MS);
  await relay.forget(relay.nodeOn(watched));
  expect([...reads]).toEqual([6]);
  await expectFloor(relay, group, 10);
  expect(relay.failures).toEqual([]);
});

test('what comes to a day after its tree was kept is in the tree', async () => {
  const relay = relayWith('late');
  const group = await relay.start();
  await relay.write(group, 2);
  const behind = relay.nodeOn(store, fakeClock(NOON));
  relay.clock.advance(DAY_MS);
  await relay.keep();
  await relay.write(group, 4, behind);
  relay.clock.advance(Y_DAYS * DAY_MS);
  await relay.forget();
  await expectFloor(relay, group, 8);
});

test('a floor that is not where its log begins is no start for a tree, and is not taken up with another statement', async () => {
  const relay = relayWith('foreign floor');
  const { clock, node, org, random } = relay;
  const group = await relay.start();
  await relay.write(group, 9);
  clock.advance(DAY_MS);
  await relay.write(group, 20);
  clock.advance(DAY_MS);
  await relay.write(group, 5);
  const day = Math.floor(clock.now() / DAY_MS);
  const floor = { org, group, day, epoch: 1, messageId: random(16), bytes: random(99) };
  // 15 = 8 + 4 + 2 + 1.
  await node.store.keepFloor({ ...floor, firstSeq: 16, frontier: random(128) });
  await relay.keep();
  expect(await store.readTree(org, group, 30)).toMatchObject({
    size: 30,
    frontier: relay.floorOf(group, 31),
  });
  for (const change of [{ epoch: 2 }, { messageId: random(16) }]) {
    await node.store.keepFloor({ ...floor, firstSeq: 40, frontier: random(96) });
    await node.store.keepFloor({ ...floor, ...change, firstSeq: 40, frontier: null });
    const [kept] = await database.query('select frontier from log_floors where org = $1 and first_seq = 40', [
      idBytes(org),
    ]);
    expect(kept).toEqual({ frontier: null });
  }
});

test('a log that does not open keeps no other from its tree, and is told of', async () => {
  const relay = relayWith('damaged');
  const groups = [await relay.start(), await relay.start(), await relay.start()].toSorted();
  for (const group of groups) await relay.write(group, 3);
  const [broken] = groups as [GroupId];
  await damage(relay, broken, 9);
  relay.clock.advance(DAY_MS);
  await relay.keep();
  expect(relay.failures).toMatchObject([{ code: 'data-damaged' }]);
  const left = await store.listDayTrees(relay.org, Math.floor(relay.clock.now() / DAY_MS), null);
  expect(left).toEqual([{ group: broken, firstSeq: 1, lastSeq: 4 }]);
});

test('a day that another node forgets while its tree is made has none, and the floor stays as it is', async () => {
  const relay = relayWith('forgotten meanwhile');
  const group = await relay.start();
  await relay.write(group, 3);
  relay.clock.advance(Y_DAYS * DAY_MS);
  await relay.write(group, 2);
  relay.clock.advance(DAY_MS);
  let isFirst = true;
  const slow: RelayStore = {
    ...store,
    async keepTree(...tree) {
      if (isFirst) await relay.forget();
      isFirst = false;
      await store.keepTree(...tree);
    },
  };
  const { logs } = relay.nodeOn(slow);
  await relay.keep({ store: { ...relay.node.store, keepTree: slow.keepTree }, logs, step: 2 });
  expect(relay.failures).toEqual([]);
  await expectFloor(relay, group, 5);
  expect(await store.readTree(relay.org, group, 5)).toMatchObject({ size: 4 });
  relay.clock.advance(Y_DAYS * DAY_MS);
  await relay.forget();
  await expectFloor(relay, group, 7);
});

test('a relay keeps trees by itself, and forgets what is over without waiting for them', async () => {
  const relay = relayWith('rounds');
  const group = await relay.start();
  await relay.write(group, 2);
  relay.clock.advance(DAY_MS);
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  let isHeld = true;
  const { node } = relay;
  const readEntries: typeof node.logs.readEntries = async (...at) => {
    if (isHeld) await held;
    return node.logs.readEntries(...at);
  };
  const start = (logs: typeof node.logs) =>
    startLogForgetting({
      ...{ ...node, primitives, retentionOf, logs, log: () => undefined },
      signer: primitives.signer(relay.random(32)),
      mayForget: () => Promise.resolve(true),
      warn: () => Promise.resolve(),
    });
  const left = () => store.listDayTrees(relay.org, Math.floor(relay.clock.now() / DAY_MS), null);
  const forgetting = start({ ...node.logs, readEntries });
  await forgetting.round();
  relay.clock.advance(Y_DAYS * DAY_MS);
  expect(await forgetting.round()).toBe(true);
  await expectFloor(relay, group, 4);
  isHeld = false;
  goOn();
  await forgetting.stop();
  await relay.write(group, 2);
  relay.clock.advance(DAY_MS);
  expect(await left()).toHaveLength(1);
  const again = start(node.logs);
  await expect.poll(left).toEqual([]);
  await again.stop();
  expect(await store.readTree(relay.org, group, 5)).toMatchObject({ size: 5 });
});

test('keeping trees ends with the page that is read, without a rest, and goes on after it', async () => {
  const relay = relayWith('ends soon');
  const { node } = relay;
  const group = await relay.start();
  await relay.write(group, 9);
  relay.clock.advance(DAY_MS);
  const stopping = new AbortController();
  let [pages, isRested] = [0, false];
  const readEntries: typeof node.logs.readEntries = async (...at) => {
    const page = await node.logs.readEntries(...at);
    pages += 1;
    if (pages === 2) {
      setImmediate(() => stopping.abort());
      vi.spyOn(performance, 'now').mockReturnValue(performance.now() + DAY_MS);
      // As long as it rests at most.
      setTimeout(() => (isRested = true), 900);
    }
    return { ...page, entries: page.entries.slice(0, 2) };
  };
  const kept: number[] = [];
  const over: RelayStore = {
    ...node.store,
    keepTree(org, of, firstSeq, tree) {
      kept.push(tree.size);
      return Promise.resolve();
    },
  };
  await relay.keep({ store: over, logs: { readEntries }, signal: stopping.signal });
  vi.restoreAllMocks();
  expect({ pages, kept, isRested }).toEqual({ pages: 2, kept: [4], isRested: false });
  expect(relay.failures).toEqual([]);
});

test('what no day of a group opens after a damaged one is asked once a round, and never once that day is forgotten', async () => {
  const relay = relayWith('damaged for long');
  const { clock, node, failures } = relay;
  const [broken, whole] = [await relay.start(), await relay.start()];
  await relay.write(broken, 9);
  await damage(relay, broken, 5);
  let pages = 0;
  const readEntries: typeof node.logs.readEntries = (org, group, afterSeq) => {
    if (group === broken) pages += 1;
    return node.logs.readEntries(org, group, afterSeq);
  };
  const rounds: { pages: number; failed: number }[] = [];
  for (let day = 0; day < 9; day += 1) {
    clock.advance(DAY_MS);
    for (const group of [broken, whole]) await relay.write(group, 3);
    pages = 0;
    await relay.forget();
    await relay.keep({ logs: { readEntries } });
    rounds.push({ pages, failed: failures.splice(0).length });
    await expectFloor(relay, whole);
  }
  const told = { pages: 1, failed: 1 };
  const quiet = { pages: 0, failed: 0 };
  // Y and the day itself; then once, because it is forgotten.
  expect(rounds).toEqual([told, told, told, { pages: 0, failed: 1 }, quiet, quiet, quiet, quiet, quiet]);
  await expect(node.logs.readFloor(relay.org, broken)).rejects.toMatchObject({ code: 'data-damaged' });
});
