import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededRandom, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOrganisations } from '../src/organisations.ts';
import type { SqlDatabase } from '../src/sql/database.ts';
import { fingerprintOf } from '../src/sql/fingerprint.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { openDatabase } from '../src/sql/open.ts';
import { sqlRelayStore } from '../src/sql/store.ts';
import { settleTimeline } from '../src/sql/timeline.ts';
import { assertSameTimeline, mustWait } from '../src/timeline.ts';

const random = seededRandom('timelines');
const session = {
  org: orgId(random(32)),
  id: random(32),
  subject: { kind: 'device', id: 'ab'.repeat(32) },
  tokenHash: random(32),
  expiresMs: 1e15,
  refreshHash: random(32),
  endsMs: 1e15,
} as const;
let database: SqlDatabase;

beforeAll(async () => {
  database = await openDatabase({ kind: 'memory' });
  await migrate(database, primitives, await readMigrations(), 1);
});
afterAll(() => database.close());

test('a database keeps its timeline for as long as it is what it was; in another one nobody is logged in', async () => {
  const store = sqlRelayStore(database);
  const growth = { hashes: [], nodes: [], checkpoint: random(9) };
  await store.createOrganisation({ org: session.org, wire: random(9), growth, nowMs: 1 });
  await store.putSession(session, 16);
  const first = await settleTimeline(database, 'one', 10);
  expect(first).toEqual({ id: expect.any(Uint8Array), changedMs: 0 });
  expect(first.id).toHaveLength(16);
  expect(await settleTimeline(database, 'one', 20)).toEqual(first);
  expect(await store.readSession(session.org, session.tokenHash)).not.toBeNull();
  const second = await settleTimeline(database, 'two', 30);
  expect(second.id).not.toEqual(first.id);
  expect(second.changedMs).toBe(30);
  expect(await settleTimeline(database, 'two', 40)).toEqual(second);
  expect(await store.readSession(session.org, session.tokenHash)).toBeNull();
});

test('a folder that is copied is not what it was, one that is renamed is', async () => {
  const root = await mkdtemp(join(tmpdir(), 'keytide-fingerprint-'));
  const print = (name: string) =>
    fingerprintOf({ kind: 'pglite', folder: join(root, name) }, { query: () => Promise.resolve([]) });
  try {
    await expect(print('none')).rejects.toMatchObject({ code: 'database-failed' });
    const made = await openDatabase({ kind: 'pglite', folder: join(root, 'one') });
    await made.close();
    const first = await print('one');
    expect(await print('one')).toBe(first);
    await cp(join(root, 'one'), join(root, 'two'), { recursive: true });
    expect(await print('two')).not.toBe(first);
    await rename(join(root, 'one'), join(root, 'three'));
    expect(await print('three')).toBe(first);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test('a place in a log is of one timeline; from the beginning on, any', () => {
  const [own, other] = [random(16), random(16)];
  assertSameTimeline(own, 0, undefined);
  assertSameTimeline(own, 9, own.slice());
  for (const [seq, named] of [
    [1, undefined],
    [1, other],
    [0, other],
  ] as const)
    expect(() => assertSameTimeline(own, seq, named)).toThrow(
      expect.objectContaining({ code: 'timeline-changed' }),
    );
});

test('after a change, what is newer waits for a minute, so that it does not take the place of what is lost', async () => {
  const changed = { id: random(16), changedMs: 1_000 };
  expect(mustWait(changed, 1_500, 60_000, 1_001)).toBe(true);
  expect(mustWait(changed, 1_500, 60_000, 1_000)).toBe(false);
  expect(mustWait(changed, 61_000, 60_000, 1_001)).toBe(false);
  expect(mustWait({ ...changed, changedMs: 0 }, 1_500, 60_000, 1_001)).toBe(false);

  const world = seededWorld({ seed: 'what waits', members: 2 });
  const [genesis, ...rest] = world.wires as [Uint8Array, ...Uint8Array[]];
  let after = 0;
  const organisations = createOrganisations({
    store: sqlRelayStore(database),
    primitives,
    signer: primitives.signer(random(32)),
    clock: world.clock,
    idle: 1,
    grown: () => undefined,
    mustWait: (madeMs) => madeMs > after,
  });
  await organisations.create(genesis, () => Promise.resolve());
  const subject = { kind: 'device', id: world.members[0].devices[0].id } as const;
  const [next] = rest as [Uint8Array];
  await expect(organisations.append(world.org, subject, next)).rejects.toMatchObject({ code: 'unavailable' });
  // What was made before comes in.
  after = Infinity;
  expect(await organisations.append(world.org, subject, next)).toBe(1);
});
