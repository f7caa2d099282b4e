import { deviceId, groupId, idBytes, orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDayKeys } from '../src/day-keys.ts';
import { createGroupLogs } from '../src/group-logs.ts';
import { localKeyWrapper } from '../src/key-wrapper.ts';
import type { SqlDatabase } from '../src/sql/database.ts';
import { migrate, readMigrations } from '../src/sql/migrate.ts';
import { openDatabase } from '../src/sql/open.ts';
import { sqlRelayStore } from '../src/sql/store.ts';

const DAY_MS = 86_400_000;
const FIRST = Date.UTC(2030, 0, 1, 12);
const random = seededRandom('before days');
const [org, group, device] = [orgId(random(32)), groupId(random(32)), deviceId(random(32))];
const old = Array.from({ length: 4 }, () => ({ messageId: random(16), envelope: random(300) }));
const statement = { messageId: random(16), statement: random(400) };
const box = random(100);
let database: SqlDatabase;

/** A database as a relay of the version before left it: one statement, and four envelopes of two days. */
beforeAll(async () => {
  database = await openDatabase({ kind: 'memory' });
  const migrations = await readMigrations();
  await migrate(database, primitives, migrations.slice(0, 8), 1);
  const place = [idBytes(org), idBytes(group)] as const;
  await database.query("select announce_epoch($1, $2, 1, $3, $4, $5, '{1}', '{100}', $6, $7)", [
    ...place,
    ...[statement.messageId, statement.statement, idBytes(device), box, FIRST],
  ]);
  // The last one by a clock that was put back.
  for (const [index, { messageId, envelope }] of old.entries()) {
    const atMs = FIRST + [0, 0, DAY_MS, 0][index]!;
    await database.query('select append_entry($1, $2, 1, $3, $4, $5)', [...place, messageId, envelope, atMs]);
  }
  await migrate(database, primitives, migrations, 1);
});
afterAll(() => database.close());

test('what was stored before there were days is served as it is, known by its ids, and forgotten by day', async () => {
  const store = sqlRelayStore(database);
  const wrapper = localKeyWrapper(primitives, random, random(32));
  const logs = createGroupLogs({
    store,
    keys: createDayKeys({ store, wrapper, random }),
    primitives,
    random,
    clock: { now: () => FIRST + DAY_MS },
    retentionOf: () => Promise.resolve({ exportSeconds: 10 * 86_400 }),
  });
  const read = async (afterSeq: number) =>
    (await logs.readEntries(org, group, afterSeq)).entries.map(({ bytes }) => bytes);
  const envelopes = old.map(({ envelope }) => envelope);
  expect(await read(0)).toEqual([statement.statement, ...envelopes]);
  expect(await read(3)).toEqual(envelopes.slice(2));
  expect(await logs.readNewestStatement(org, group)).toEqual(statement.statement);
  expect(await logs.readBox({ org, group, epoch: 1, device })).toEqual(box);

  const again = { org, group, epoch: 1, ...old[1]! };
  const fresh = { org, group, epoch: 1, messageId: random(16), envelope: random(300) };
  expect(await logs.appendEnvelopes([again, fresh])).toEqual([
    { seq: 3, repeated: true },
    { seq: 6, repeated: false },
  ]);
  const reused = { ...again, envelope: random(300) };
  expect(await logs.appendEnvelopes([reused])).toEqual([{ refused: 'message-id-reused' }]);
  expect(await read(5)).toEqual([fresh.envelope]);
  const day = Math.floor(FIRST / DAY_MS);

  // The newest statement is theirs to keep, by whichever day it came.
  expect(await store.listFloors(org, day - 1)).toEqual([]);
  const [move] = await store.listFloors(org, day);
  expect(move).toEqual({ group, firstSeq: 1, nextFirstSeq: 4 });
  await logs.keepFloor(org, move!);
  expect(await store.forgetDays(org, day)).toEqual([{ group, firstSeq: 1, lastSeq: 3 }]);
  expect(await read(0)).toEqual(envelopes.slice(2));
  expect(await logs.readBox({ org, group, epoch: 1, device })).toBeNull();
  expect(await logs.readNewestStatement(org, group)).toEqual(statement.statement);
  const left = await database.query('select seq from entries_0 order by seq');
  expect(left.map(({ seq }) => seq)).toEqual([4, 5]);
  expect(await database.query('select 1 as one from boxes_0')).toEqual([]);
  await store.forgetDays(org, day + 1);
  expect(await read(0)).toEqual([]);
  expect(await database.query('select 1 as one from entries_0')).toEqual([]);
  expect(await store.listLogOrgs()).toEqual([]);
});
