import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64Url, toHex, type PreviousEpoch } from '@keytide/crypto-core';
import { createExportStatement, createPolicyChange } from '@keytide/key-directory';
import { folderBlobStore } from '@keytide/server-relay';
import { memoryDatabase, seededWorld, type SeededDevice, type SeededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { heldAttachments } from '../src/operate/stored-attachments.ts';
import { openDatabase } from '../src/sql/open.ts';
import { announceOf, appendOf } from './group.ts';
import { greet } from './line.ts';
import { appendLog, call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Y is thirty days, and nothing is waived. */
const world = seededWorld({ seed: 'held attachments', members: 2 });
const silent = seededWorld({ seed: 'attachments without a log', members: 1 });
const { clock, org, primitives } = world;
const [ada, bo] = world.members.map(({ devices }) => devices[0]) as unknown as [SeededDevice, SeededDevice];
let folder: string;
let relay: RelayUnderTest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-held-'));
  relay = await relayUnderTest({ clock, blobStore: folderBlobStore(folder) });
  await settle(relay, world);
  await settle(relay, silent);
});
afterAll(async () => {
  await relay.close();
  await rm(folder, { recursive: true, force: true });
});

/** Five bytes of bo's, whole as of now. */
async function uploaded(of: SeededWorld = world, device = bo): Promise<string> {
  const id = toHex(of.random(32));
  const token = await tokenOf(relay, of.org, device);
  const path = `/organisations/${of.org}/blobs/${id}`;
  await call(relay, 'POST', path, { token, body: { sizeBytes: 5 } });
  await fetch(`${relay.url}/v1${path}?offset=0`, {
    ...{ method: 'PUT', body: of.random(5).slice() },
    headers: { 'content-type': 'application/octet-stream', authorization: `Bearer ${token}` },
  });
  return id;
}

/** Whether an attachment is given, and whether its bytes are there. */
async function stateOf(id: string, of: SeededWorld = world, device = bo): Promise<string> {
  const token = await tokenOf(relay, of.org, device);
  const url = `${relay.url}/v1/organisations/${of.org}/blobs/${id}?offset=0&sizeBytes=5`;
  const { ok } = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const files = await readdir(join(folder, of.org));
  return `${ok ? 'given' : 'not given'}, ${files.includes(id) ? 'there' : 'gone'}`;
}

type Written = ReturnType<typeof appendOf> | Awaited<ReturnType<typeof announceOf>>;

async function written(frame: Written): Promise<void> {
  const line = await greet(relay, await tokenOf(relay, org, ada));
  line.send(frame);
  await line.next('appended');
  line.socket.close();
}

let previous: PreviousEpoch | null = null;

/** A new epoch: an entry that is filed under the day of now. */
async function announced(): Promise<void> {
  const frame = await announceOf(world, ada, 1, previous);
  await written(frame);
  previous = { epoch: (previous?.epoch ?? 0) + 1, hash: frame.hash };
}

async function acknowledged(throughSeq: number): Promise<void> {
  const said = { throughSeq, root: world.random(32), device: ada.id, exportedMs: clock.now() };
  const wire = createExportStatement(primitives, ada.signer, { org, group: world.state.everyone, ...said });
  const token = await tokenOf(relay, org, ada);
  const body = { statement: toBase64Url(wire) };
  expect((await call(relay, 'POST', `/organisations/${org}/exports`, { token, body })).status).toBe(201);
}

/** How many are held, by what exporters are told, and their bytes, by what operators are. */
async function held(): Promise<[number, number]> {
  const token = await tokenOf(relay, org, ada);
  const { body } = await call(relay, 'GET', `/organisations/${org}/retention`, { token });
  const { count } = (body as unknown as { attachmentsHeld: { count: number } }).attachmentsHeld;
  const sample = /^keytide_relay_attachments_held_bytes (\d+)$/m.exec(await relay.metrics());
  return [count, Number(sample?.[1])];
}

const forgotten = () => relay.events.filter(({ event }) => event === 'forgotten').length;

test('an attachment that nobody has exported is kept beyond Y, given to who asks, and told of', async () => {
  clock.advance(23 * HOUR_MS);
  await announced();
  await written(appendOf(world, 1, 3));
  const photo = await uploaded();
  const alone = await uploaded(silent, silent.members[0].devices[0]);
  // Uploaded in the evening, named the next morning.
  clock.advance(4 * HOUR_MS);
  await written(appendOf(world, 1));
  await relay.forget();
  expect(await held()).toEqual([0, 0]);
  clock.advance(40 * DAY_MS);
  expect(await relay.forget()).toBe(true);
  expect(await stateOf(photo)).toBe('given, there');
  expect(await held()).toEqual([1, 5]);
  // Of an organisation that has written nothing, nobody has anything to export.
  expect(await stateOf(alone, silent, silent.members[0].devices[0])).toBe('not given, gone');

  // All of the day on which it was uploaded, and not the message that names it: that day goes, and nothing else.
  await acknowledged(4);
  expect(await relay.forget()).toBe(true);
  expect(forgotten()).toBe(1);
  expect(await stateOf(photo)).toBe('given, there');
  expect(await held()).toEqual([1, 5]);

  await acknowledged(5);
  // Not given from then on, also before it is deleted.
  expect(await stateOf(photo)).toBe('not given, there');
  expect(await relay.forget()).toBe(true);
  expect(await stateOf(photo)).toBe('not given, gone');
  expect(await held()).toEqual([0, 0]);
});

test('whatever was written until its time was over may name it; what comes later keeps it no longer', async () => {
  const photo = await uploaded();
  clock.advance(29 * DAY_MS);
  await announced(); // seq 6
  clock.advance(2 * DAY_MS);
  await announced(); // seq 7
  await relay.forget();
  expect(await stateOf(photo)).toBe('given, there');
  await acknowledged(6);
  await relay.forget();
  expect(await stateOf(photo)).toBe('not given, gone');
});

test('an export that says less than before keeps what it no longer has', async () => {
  const photo = await uploaded();
  clock.advance(31 * DAY_MS);
  await acknowledged(7);
  await acknowledged(6);
  await relay.forget();
  expect(await stateOf(photo)).toBe('given, there');
  await acknowledged(7);
  await relay.forget();
  expect(await stateOf(photo)).toBe('not given, gone');
});

test('a clock that was behind, or ahead, takes no attachment of an entry that is kept', async () => {
  await announced();
  // A relay without a battery for its clock, for an hour.
  clock.advance(-40 * DAY_MS);
  const early = await uploaded();
  await written(appendOf(world, 9, 1));
  clock.advance(40 * DAY_MS);
  expect(await stateOf(early)).toBe('given, there');
  await relay.forget();
  expect(await stateOf(early)).toBe('given, there');
  // And one that was ahead when an entry came: those behind it are of that day as well.
  clock.advance(60 * DAY_MS);
  await announced();
  clock.advance(-60 * DAY_MS);
  await acknowledged(10);
  const late = await uploaded();
  await written(appendOf(world, 11, 1));
  clock.advance(31 * DAY_MS);
  await relay.forget();
  expect(await stateOf(late)).toBe('given, there');
  clock.advance(30 * DAY_MS);
});

test('a policy that waives the export lets attachments go at Y', async () => {
  const photo = await uploaded();
  await announced();
  clock.advance(31 * DAY_MS);
  await relay.forget();
  expect(await stateOf(photo)).toBe('given, there');
  const policy = { ...world.state.policy, exportWaived: true as const };
  const token = await tokenOf(relay, org, ada);
  const wire = createPolicyChange({ ...world.as(ada), policy });
  expect((await appendLog(relay, org, token, wire)).status).toBe(201);
  await relay.forget();
  expect(await stateOf(photo)).toBe('not given, gone');
});

test('doctor says how much is kept beyond its Y, and of whom', async () => {
  const database = await openDatabase(memoryDatabase());
  try {
    expect(await heldAttachments(database)).toMatchObject([{ verdict: 'ok', check: 'retention' }]);
    await database.query(
      `insert into blob_heads (org, counted_bytes, held_bytes)
       values (decode(repeat('ab', 32), 'hex'), 0, 5000000)`,
    );
    const [{ verdict, says } = { verdict: null, says: '' }] = await heldAttachments(database);
    expect([verdict, says.slice(0, 5), says.includes('abababab')]).toEqual(['warn', '5 MiB', true]);
    // A database of before has none to look at.
    await database.query('alter table blob_heads drop column held_bytes');
    expect(await heldAttachments(database)).toEqual([]);
  } finally {
    await database.close();
  }
});
