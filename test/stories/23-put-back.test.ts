import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOrganisation, join as enter, type Lost } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { dataKeyPath, openDataKeyFile, startRelay, type Relay } from '@keytide/server-relay';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backUp } from '../../packages/server-relay/src/backup/back-up.ts';
import { restore } from '../../packages/server-relay/src/backup/restore.ts';
import { chatPeople, hears, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const PATIENCE = { timeout: 30_000 };
const people = chatPeople(leapingClock(Date.now()));
let root: string;
let relay: Relay;

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
    database: { kind: 'pglite', folder: join(root, name) },
    port,
    log: () => undefined,
    limits: { settleMs: 20_000 },
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
  const first = { kind: 'pglite', folder: join(root, 'first') } as const;
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
}, 120_000);
