import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOrganisation, join as enter, type Lost } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { dataKeyPath, openDataKeyFile, startRelay, type Relay } from '@keytide/server-relay';
import { folderDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backUp } from '../../packages/server-relay/src/backup/back-up.ts';
import { restore } from '../../packages/server-relay/src/backup/restore.ts';
import { chatPeople, hears, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const PATIENCE = { timeout: 30_000 };
const SETTLE_MS = 20_000;
const people = chatPeople(leapingClock(Date.now()));
let root: string;
let relay: Relay;
let aheadMs = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'keytide-put-back-'));
});
afterAll(async () => {
  await people.close();
  await relay.close();
  await rm(root, { recursive: true, force: true });
});

async function serve(name: string, port = 0): Promise<void> {
  relay = await startRelay({
    database: folderDatabase(join(root, name)),
    port,
    clock: { now: () => Date.now() + aheadMs },
    log: () => undefined,
    limits: { settleMs: SETTLE_MS },
  });
}

const portOf = (): number => Number(new URL(relay.url).port);

/** What each of them is told that the relay has lost. */
function losses(...everybody: Person[]): Map<Person, Lost[]> {
  return new Map(
    everybody.map((one) => {
      const told: Lost[] = [];
      one.client.on('lost', (lost) => void told.push(lost));
      return [one, told];
    }),
  );
}

test('a relay is lost and put back from an older copy: everybody goes on, and what was said since is said again', async () => {
  const first = folderDatabase(join(root, 'first'));
  await serve('first');
  const ports = nodePorts;
  const ada = await people.enters(
    (entered) => createOrganisation({ ...entered, relayUrl: relay.url, handle: 'ada' }),
    ports,
  );
  const invite = await ada.client.invite();
  const bo = await people.enters((entered) => enter({ ...entered, link: invite, handle: 'bo' }), ports);
  await says(ada, 'one');
  await says(bo, 'two');
  await hears(ada, 'two');
  const port = portOf();
  await relay.close();
  await backUp({
    database: first,
    blobFolder: null,
    folder: join(root, 'backups'),
    nowMs: Date.now(),
    progress: () => undefined,
  });
  await serve('first', port);
  await says(ada, 'three');
  const other = await ada.client.invite();
  const cy = await people.enters((entered) => enter({ ...entered, link: other, handle: 'cy' }), ports);
  await says(cy, 'four');
  await hears(bo, 'four');
  await says(bo, 'five');
  const dee = await people.enters(
    (entered) => createOrganisation({ ...entered, relayUrl: relay.url, handle: 'dee' }),
    ports,
  );
  const link = await dee.client.invite();
  const eve = await people.enters((entered) => enter({ ...entered, link, handle: 'eve' }), ports);
  await says(dee, 'ours');
  await says(eve, 'ours too');
  await hears(dee, 'ours too');
  const oursSize = dee.client.directorySize;
  for (const one of [ada, bo, cy]) await hears(one, 'five');
  const size = ada.client.directorySize;
  const told = losses(ada, bo, cy);
  await relay.close();
  await restore({
    database: first,
    blobFolder: null,
    folder: join(root, 'backups'),
    openWrapper: () => openDataKeyFile(dataKeyPath(first)),
    mayReplace: true,
    nowMs: Date.now(),
    progress: () => undefined,
  });
  await serve('first', port);
  for (const one of [ada, bo, cy]) {
    await expect.poll(() => told.get(one)?.length, PATIENCE).toBe(1);
    await expect.poll(() => one.client.state.kind, PATIENCE).toBe('online');
    for (const text of one === cy ? ['four', 'five'] : ['three', 'four', 'five']) await hears(one, text);
    expect(textsOf(one).toSorted()).toEqual(
      // What was written before somebody came is not written to them afterwards.
      one === cy ? ['five', 'four'] : ['five', 'four', 'one', 'three', 'two'],
    );
    expect(one.client.directorySize).toBe(size);
    expect(one.client.divergence).toBeNull();
    expect(told.get(one)).toHaveLength(1);
    expect(told.get(one)?.[0]?.again).toBe(1);
  }
  // What was founded since waits until the relay has settled; then its founder's device gives all of it back.
  for (const one of [dee, eve]) expect(one.client.state.kind).not.toBe('online');
  aheadMs += SETTLE_MS;
  await expect.poll(() => dee.client.state.kind, PATIENCE).toBe('online');
  // Whoever came before that was refused, and would look again in a minute.
  eve.client.resume();
  await expect.poll(() => eve.client.state.kind, PATIENCE).toBe('online');
  for (const one of [dee, eve]) {
    for (const text of ['ours', 'ours too']) await hears(one, text);
    expect(one.client.directorySize).toBe(oursSize);
  }
  await says(dee, 'and on');
  await hears(eve, 'and on');
}, 120_000);
