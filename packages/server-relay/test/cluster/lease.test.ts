import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { openStore, type RelayStore } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLease, everywhere, type Lease } from '../../src/cluster/lease.ts';

const relayKey = new Uint8Array(32).fill(1);
const NOBODY = new Uint8Array(16);
let store: RelayStore;
const leases: Lease[] = [];

beforeAll(async () => {
  ({ store } = await openStore(memoryDatabase(), nodePrimitives, 0));
});
afterAll(async () => {
  await store.close();
});

async function join(leaseMs: number, key = relayKey): Promise<Lease> {
  const lease = await createLease({ store, random: nodeRandom, relayKey: key, leaseMs, wake: () => {} });
  leases.push(lease);
  return lease;
}

async function leaveAll(): Promise<void> {
  for (const lease of leases.splice(0)) await lease.release();
}

test('nothing is shown before the first look, nor when the last one is too long ago', async () => {
  const lease = await join(150);
  expect(lease.isHeld()).toBe(false);
  await lease.during(() => Promise.resolve());
  expect(lease.isHeld()).toBe(true);
  await expect.poll(() => lease.isHeld()).toBe(false);
  await expect(lease.during(() => Promise.reject(new Error('no database')))).rejects.toThrow('no database');
  expect(lease.isHeld()).toBe(false);
  await leaveAll();
});

test('a look that takes longer than a lease gives none', async () => {
  const lease = await join(50);
  await lease.during(() => new Promise((resolve) => setTimeout(resolve, 80)));
  expect(lease.isHeld()).toBe(false);
  await leaveAll();
});

test('a look acknowledges what was committed before it began, and nothing later', async () => {
  const lease = await join(60_000);
  const before = await store.drawMoment();
  let meanwhile = 0;
  await lease.during(async () => {
    meanwhile = await store.drawMoment();
  });
  expect(await store.countNodesBehind(NOBODY, before)).toBe(0);
  expect(await store.countNodesBehind(NOBODY, meanwhile)).toBe(1);
  await leaveAll();
});

test('what ends a right waits for every other node, for as long as its lease may last', async () => {
  const [mine, other] = [await join(60_000), await join(60_000)];
  let isOver = false;
  const waiting = mine.everywhere().then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(isOver).toBe(false);
  await other.during(() => Promise.resolve());
  await waiting;
  // Nobody answers: as long as a lease, and no longer.
  const startMs = performance.now();
  await everywhere(store, NOBODY, 200);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(200);
  await leaveAll();
  await everywhere(store, NOBODY, 60_000);
});

test('a node with another relay key is refused, and leaves nothing', async () => {
  await join(60_000);
  const code = 'relay-key-differs';
  await expect(join(60_000, new Uint8Array(32).fill(2))).rejects.toMatchObject({ code });
  expect(await store.listNodes()).toHaveLength(1);
  await leaveAll();
});
