import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  appendLeaf,
  concatBytes,
  EMPTY_FRONTIER,
  groupId,
  idBytes,
  leafHash,
  orgId,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { fakeClock, seededRandom, startPostgres, type TestPostgres } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backUp } from '../src/backup/back-up.ts';
import { restore } from '../src/backup/restore.ts';
import { createDayKeys } from '../src/day-keys.ts';
import { forgetOver } from '../src/expiry.ts';
import { createGroupLogs } from '../src/group-logs.ts';
import { keepTrees } from '../src/keep-trees.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import { openRelayKey } from '../src/relay-key.ts';
import type { SqlDatabase } from '../src/sql/database.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { visitPostgres } from '../src/sql/postgres.ts';
import { sqlRelayStore } from '../src/sql/store.ts';

const DAY_MS = 86_400_000;
const NOON = Date.UTC(2030, 0, 1, 12);
const Y_DAYS = 3;
const retention = { exportSeconds: Y_DAYS * 86_400, exportWaived: true } as const;
const retentionOf = () => Promise.resolve(retention);
let root: string;
let postgres: TestPostgres;
const opened: SqlDatabase[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'keytide-generations-'));
  postgres = await startPostgres();
});
afterAll(async () => {
  for (const database of opened) await database.close();
  await postgres.stop();
  await rm(root, { recursive: true, force: true });
});

/** One group's log in a database of its own, with its backups. */
async function logNamed(name: string) {
  const random = seededRandom(name);
  const place = join(root, name);
  const at = {
    kind: 'postgres',
    url: await postgres.createDatabase(name),
    keyFile: join(root, `${name}.key`),
  } as const;
  await openRelayKey(primitives, random, { path: at.keyFile, isFirstStart: true });
  const database = visitPostgres(at.url);
  opened.push(database);
  await migrate(database, primitives, await readMigrations(), 1);
  const store = sqlRelayStore(database);
  const wrapper = localKeyWrapper(primitives, random, random(32));
  const [org, group] = [orgId(random(32)), groupId(random(32))];
  const clock = fakeClock(NOON);
  /** As of a process that began just now. */
  const node = (nodeClock = clock) => {
    const keys = createDayKeys({ store, wrapper, random });
    return {
      ...{ store: { ...store, listLogOrgs: () => Promise.resolve([org]) }, keys, clock: nodeClock },
      logs: createGroupLogs({ store, keys, primitives, random, clock: nodeClock, retentionOf }),
    };
  };
  const failures: unknown[] = [];
  const failed = (_org: unknown, error: unknown): void => void failures.push(error);
  const common = { database: at, blobFolder: null, folder: place, progress: () => undefined };
  const statement = random(200);
  await node().logs.announceEpoch({ org, group, epoch: 1, messageId: random(16), statement, boxes: [] });
  return {
    ...{ org, group, random, clock, store, node, failures, database },
    first: concatBytes(Uint8Array.of(1), statement),
    /** Writes so many on the day of a clock; as the log has them. */
    async write(count: number, on = clock): Promise<readonly Uint8Array[]> {
      const envelopes = Array.from({ length: count }, () => random(60));
      const items = envelopes.map((envelope) => ({ org, group, epoch: 1, messageId: random(16), envelope }));
      await node(on).logs.appendEnvelopes(items);
      return envelopes.map((envelope) => concatBytes(Uint8Array.of(0), envelope));
    },
    keep: () => keepTrees({ ...node(), primitives, failed, signal: new AbortController().signal }),
    forget: () => forgetOver({ ...node(), retentionOf, failed }),
    async back(): Promise<string> {
      // Each has its own name.
      clock.advance(1000);
      return (await backUp({ ...common, nowMs: clock.now() })).generation;
    },
    put: (generation: string) =>
      restore({
        ...{ ...common, generation, nowMs: clock.now(), mayReplace: true },
        openWrapper: () => Promise.resolve(wrapper),
      }),
  };
}

function frontierOf(entries: readonly Uint8Array[]): Uint8Array {
  const leaves = entries.map((entry) => leafHash(primitives, entry));
  return concatBytes(
    ...leaves.reduce((tree, leaf) => appendLeaf(primitives, tree, leaf), EMPTY_FRONTIER).hashes,
  );
}

/**
 * A log of 35 over three days, 1 to 10 on the first; and, from an older backup, another one of which the first day has
 * `others` more than the 5 that both have, and is forgotten. Then the first log is put back, with the keys of the second.
 */
async function putBackAfterAnother(name: string, others: number) {
  const log = await logNamed(name);
  const { clock } = log;
  const entries = [log.first, ...(await log.write(4))];
  const older = await log.back();
  entries.push(...(await log.write(5)));
  clock.advance(DAY_MS);
  entries.push(...(await log.write(20)));
  await log.keep();
  clock.advance(DAY_MS);
  entries.push(...(await log.write(5)));
  const right = await log.back();
  await log.put(older);
  // Of an epoch of that day.
  await log.write(others, fakeClock(NOON));
  await log.write(3);
  clock.advance((Y_DAYS - 1) * DAY_MS);
  await log.forget();
  await log.back();
  await log.put(right);
  return { ...log, entries };
}

test('a floor of another timeline is no start for a tree: better none than a wrong one', async () => {
  const { org, group, store, clock, failures, ...log } = await putBackAfterAnother('another', 10);
  expect(await log.database.query('select first_seq, frontier from log_floors')).toEqual([
    { first_seq: 16, frontier: null },
  ]);
  await log.keep();
  expect(await store.readTree(org, group, 30)).toBeNull();
  clock.advance(DAY_MS);
  await log.forget();
  expect(await store.readFloor(org, group)).toMatchObject({ firstSeq: 31, epoch: 1, frontier: null });
  expect(failures).toMatchObject([{ code: 'data-damaged' }, { code: 'data-damaged' }]);
});

test('a floor of another timeline where this log begins has the frontier of this log', async () => {
  const { org, group, clock, node, entries, ...log } = await putBackAfterAnother('equal', 5);
  expect(await node().logs.readFloor(org, group)).toMatchObject({
    firstSeq: 11,
    frontier: frontierOf(entries.slice(0, 10)),
  });
  await log.keep();
  clock.advance(DAY_MS);
  await log.forget();
  expect(await node().logs.readFloor(org, group)).toMatchObject({
    firstSeq: 31,
    frontier: frontierOf(entries.slice(0, 30)),
  });
  expect(log.failures).toEqual([]);
});

test('a floor that was made ready leaves no hole in an older generation of which that day is there', async () => {
  const { org, group, clock, node, ...log } = await logNamed('ready');
  await log.write(4);
  const older = await log.back();
  await log.write(5);
  clock.advance(DAY_MS);
  await log.write(2);
  await node().logs.keepFloor(org, { group, firstSeq: 1, nextFirstSeq: 11 });
  await log.back();
  await log.put(older);
  await log.write(3);
  const { headSeq, entries } = await node().logs.readEntries(org, group, 0);
  expect([headSeq, entries.map(({ seq }) => seq)]).toEqual([8, [1, 2, 3, 4, 5]]);
  expect((await node().logs.readEntries(org, group, 5)).entries.map(({ seq }) => seq)).toEqual([6, 7, 8]);
  expect(await log.database.query('select 1 from log_floors where grp = $1', [idBytes(group)])).toEqual([]);
});
