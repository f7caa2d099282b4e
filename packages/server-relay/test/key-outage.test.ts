import { groupId, orgId, type OrgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { openStore, type KeyWrapper, type RelayStore } from '@keytide/server-relay';
import { fakeClock, memoryDatabase, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAppendQueue } from '../src/append-queue.ts';
import { createDayKeys } from '../src/day-keys.ts';
import { RelayError } from '../src/errors.ts';
import { createGroupLogs } from '../src/group-logs.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import { createTurnstile } from '../src/turnstile.ts';

const HOUR_MS = 3_600_000;
const MIDNIGHT = Date.UTC(2030, 0, 2);
const random = seededRandom('key outage');
const key = random(32);
let store: RelayStore;

beforeAll(async () => {
  ({ store } = await openStore(memoryDatabase(), primitives, 0));
});
afterAll(() => store.close());

/** A key service that can be made to hang, or to fail what hangs. */
function serviceOf() {
  const real = localKeyWrapper(primitives, random, key);
  const calls = { wrap: 0, unwrap: 0 };
  let release: ((error: Error | null) => void)[] | null = null;
  async function answer<T>(what: 'wrap' | 'unwrap', work: () => Promise<T>): Promise<T> {
    calls[what] += 1;
    if (release !== null) {
      const waiting = release;
      const error = await new Promise<Error | null>((resolve) => waiting.push(resolve));
      if (error !== null) throw error;
    }
    return work();
  }
  const wrapper: KeyWrapper = {
    ...real,
    wrap: (...of) => answer('wrap', () => real.wrap(...of)),
    unwrap: (...of) => answer('unwrap', () => real.unwrap(...of)),
  };
  return {
    wrapper,
    calls,
    waiting: () => release?.length ?? 0,
    hang: () => void (release = []),
    goOn(error: Error | null = null): void {
      const waiting = release ?? [];
      release = null;
      for (const one of waiting) one(error);
    },
  };
}

/** A relay's group logs and its one lane, on a clock that stands still. */
function nodeOf(nowMs: number, most?: number) {
  const clock = fakeClock(nowMs);
  const service = serviceOf();
  const keys = createDayKeys({
    ...{ store, wrapper: service.wrapper, random },
    ...(most === undefined ? {} : { most }),
  });
  const logs = createGroupLogs({
    ...{ store, keys, primitives, random, clock },
    retentionOf: () => Promise.resolve({ exportSeconds: 30 * 86_400 }),
    inTurn: createTurnstile(1),
  });
  const nothing = (): void => undefined;
  const queue = createAppendQueue({ logs, lanes: 1, stored: nothing, repeated: nothing });
  return { clock, service, keys, logs, queue };
}

type Node = ReturnType<typeof nodeOf>;

/** A group of an organisation of its own, and what to append there. `org` in hex begins with these two digits. */
async function startedGroup({ queue }: Node, digits = 'ff') {
  const org = orgId(`${digits}${orgId(random(32)).slice(2)}`);
  const group = groupId(random(32));
  const item = () => ({ org, group, epoch: 1, messageId: random(16), envelope: random(200) });
  await queue.announce({ org, group, epoch: 1, messageId: random(16), statement: random(9), boxes: [] });
  return { org, group, item };
}

const outage = (): RelayError => new RelayError('key-service-failed', 'no answer', { reason: 'timeout' });

test('who waits for the key of an organisation takes no other one its turn to read', async () => {
  const writer = nodeOf(MIDNIGHT - 12 * HOUR_MS);
  const [mine, other] = [await startedGroup(writer), await startedGroup(writer)];
  const node = nodeOf(MIDNIGHT - 12 * HOUR_MS);
  const read = ({ org, group }: typeof mine) => node.logs.readEntries(org, group, 0);
  await read(other);

  node.service.hang();
  const waiting = [read(mine), read(mine)];
  await expect.poll(() => node.service.waiting()).toBe(1);
  expect((await read(other)).headSeq).toBe(1);
  node.service.goOn(outage());
  for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'key-service-failed' });
  expect((await read(mine)).entries).toHaveLength(1);
  // Once for each organisation, and once in vain.
  expect(node.service.calls.unwrap).toBe(3);
});

test('who waits for a key to write with keeps no lane from the others, and its own stay in order', async () => {
  const node = nodeOf(MIDNIGHT - 12 * HOUR_MS);
  const [mine, other] = [await startedGroup(node), await startedGroup(node)];
  // The next day: a clock that was set, and no key was made ahead.
  node.clock.advance(24 * HOUR_MS);
  await node.queue.append([other.item()]);

  node.service.hang();
  const failing = [node.queue.append([mine.item()]), node.queue.append([mine.item()])];
  const outcomes = Promise.allSettled(failing);
  await expect.poll(() => node.service.waiting()).toBe(1);
  expect(await node.queue.append([other.item()])).toEqual([{ seq: 3, repeated: false }]);
  let isIdle = false;
  const idle = node.queue.idle().then(() => {
    isIdle = true;
  });
  await node.queue.append([other.item()]);
  expect(isIdle).toBe(false);
  node.service.goOn(outage());
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await idle;

  node.service.hang();
  const three = [mine.item(), mine.item(), mine.item()];
  const coming = three.map((item) => node.queue.append([item]));
  await expect.poll(() => node.service.waiting()).toBe(1);
  node.service.goOn();
  expect((await Promise.all(coming)).flat().map((verdict) => 'seq' in verdict && verdict.seq)).toEqual([
    2, 3, 4,
  ]);
});

test('the key of the next day is there before midnight for whoever writes then', async () => {
  // The first organisation's turn is nearly three hours before midnight, the second's one hour.
  const node = nodeOf(MIDNIGHT - 2 * HOUR_MS);
  const [early, late] = [await startedGroup(node, 'ff'), await startedGroup(node, '00')];
  const tomorrow = MIDNIGHT / 86_400_000;
  const isReady = ({ org }: { readonly org: OrgId }) => node.keys.isHere(org, tomorrow);
  await expect.poll(() => isReady(early)).toBe(true);
  expect(isReady(late)).toBe(false);
  node.clock.advance(1.5 * HOUR_MS);
  await node.queue.append([late.item()]);
  await expect.poll(() => isReady(late)).toBe(true);

  node.service.hang();
  node.clock.advance(HOUR_MS);
  for (const { item } of [early, late]) expect(await node.queue.append([item()])).toHaveLength(1);
  expect(await store.readDayKey(early.org, tomorrow)).not.toBeNull();
  expect((await node.logs.readEntries(early.org, early.group, 1)).entries).toHaveLength(1);
});

test('a key that could not be made ahead is made on its day', async () => {
  const node = nodeOf(MIDNIGHT - 12 * HOUR_MS);
  const { item } = await startedGroup(node);
  node.clock.advance(11.5 * HOUR_MS);
  node.service.hang();
  await node.queue.append([item()]);
  await expect.poll(() => node.service.waiting()).toBe(1);
  node.service.goOn(outage());
  await new Promise(setImmediate);
  node.clock.advance(HOUR_MS);
  expect(await node.queue.append([item()])).toEqual([{ seq: 3, repeated: false }]);
});

test('of more keys than are kept, the one that was not used for longest leaves', async () => {
  const writer = nodeOf(MIDNIGHT - 12 * HOUR_MS);
  const groups = [
    await startedGroup(writer),
    await startedGroup(writer),
    await startedGroup(writer),
  ] as const;
  const node = nodeOf(MIDNIGHT - 12 * HOUR_MS, 2);
  const asked = async (index: 0 | 1 | 2): Promise<number> => {
    const before = node.service.calls.unwrap;
    await node.logs.readEntries(groups[index].org, groups[index].group, 0);
    return node.service.calls.unwrap - before;
  };
  expect(await asked(0)).toBe(1);
  expect(await asked(1)).toBe(1);
  expect(await asked(0)).toBe(0);
  expect(await asked(2)).toBe(1);
  expect(await asked(0)).toBe(0);
  expect(await asked(1)).toBe(1);
});
