import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { hybridIdentity, readArchive } from '@keytide/archive';
import {
  csvStates,
  entriesIn,
  jsonLines,
  readJsonLines,
  recordStates,
  type OpenedEntries,
} from '@keytide/archive/formats';
import { folderDestination } from '@keytide/archive/node';
import {
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
} from '@keytide/client';
import { exportOrganisation, recordMerge } from '@keytide/client/export';
import { nodePorts } from '@keytide/client/node';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const PATIENCE = { timeout: 20_000 };
const fields = z.object({ need: z.string(), status: z.enum(['open', 'done']) });
/** Admins say when it is done. */
const definition = defineOrganisation({
  requests: sensitive.record(fields, { edit: { status: ['admin'] } }),
});
/** An app that was changed: everybody may say so, and there is one more field. */
const changed = defineOrganisation({
  requests: sensitive.record(fields.extend({ people: z.number().optional() })),
});
const archiveKey = primitives.decapsulator(new Uint8Array(32).fill(0x30));

let folder: string;
let relay: Relay;
let ada: Client<typeof definition>;
let bo: Client<typeof changed>;
let water: string;
let boat: string;
let entries: OpenedEntries;

beforeAll(async () => {
  folder = await mkdtemp(pathOf(tmpdir(), 'keytide-story-'));
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  const options = { ports: nodePorts, relayUrl: relay.url };
  ada = await createOrganisation({ ...options, definition, store: memoryDeviceStore(), handle: 'ada' });
  const store = memoryDeviceStore();
  bo = await join({ ...options, definition: changed, store, link: await ada.invite(), handle: 'bo' });
});

afterAll(async () => {
  await Promise.all([ada?.close(), bo?.close()]);
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

test('bo reports, both change it, bo what only admins may, and ada removes one', async () => {
  const { requests } = bo.collections;
  water = await requests.create({ need: 'water', status: 'open', people: 3 });
  boat = await requests.create({ need: 'a boat', status: 'open' });
  await bo.settled();
  await expect.poll(() => ada.collections.requests.list().length, PATIENCE).toBe(2);
  await ada.collections.requests.edit(water, { status: 'done' });
  await ada.collections.requests.remove(boat);
  await ada.settled();
  await expect.poll(() => requests.get(water)?.body.status, PATIENCE).toBe('done');
  await requests.edit(water, { need: '=water for "three"', people: 4 });
  await requests.edit(water, { status: 'open' });
  // Written anew as it stands there: what only admins change gives way to what an admin has said.
  await requests.renew(water);
  await bo.settled();
  await expect.poll(() => ada.collections.requests.history(water).length, PATIENCE).toBe(5);
});

test('the archive, opened with its key, shows the records that ada’s device shows', async () => {
  const destination = folderDestination(pathOf(folder, 'archive'));
  await exportOrganisation(ada, { destination, recipients: [archiveKey.publicKey] });
  const identities = [hybridIdentity(primitives, archiveKey)];
  const archive = await readArchive({ primitives, files: destination, identities });
  const read = entriesIn(archive);
  entries = () => readJsonLines(jsonLines(read));
  const shown = ada.collections.requests.list();
  expect(shown.map(({ body }) => body)).toEqual([{ need: '=water for "three"', status: 'done' }]);
  const states = [];
  for await (const state of recordStates(entries, { collection: 'requests', merge: recordMerge(definition) }))
    states.push(state);
  expect(states).toMatchObject([
    { id: water, state: 'shown', changes: 4, rejected: 1, first: { name: 'bo' } },
    { id: boat, state: 'removed', body: {}, last: { name: 'ada' } },
  ]);
  const { people, ...known } = states[0]?.body ?? {};
  expect([{ id: water, body: known, pending: false }, people]).toEqual([shown[0], 4]);
});

test('who does not know the application’s rules is told what its admin’s device let count', async () => {
  const table = csvStates(entries, { collection: 'requests', merge: recordMerge({}), fields: ['need'] });
  const pieces: Uint8Array[] = [];
  for await (const piece of table) pieces.push(piece);
  const [, first = '', second = ''] = Buffer.concat(pieces).toString().split('\r\n');
  expect([first.endsWith(`,"'=water for ""three"""`), first.includes(',shown,4,1,')]).toEqual([true, true]);
  expect([second.endsWith(','), second.includes(',removed,2,0,')]).toEqual([true, true]);
});
