import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { hybridIdentity, readArchive, verifyArchive, type SignedManifest } from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { createOrganisation, join } from '@keytide/client';
import { acknowledgeArchive, exportOrganisation } from '@keytide/client/export';
import { decodeCbor } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type LogEvent, type Relay } from '@keytide/server-relay';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatPeople, hears, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const DAY_MS = 86_400_000;
/** What nobody has exported stays: nothing is waived. */
const policy = { blockSeconds: 86_400, retentionSeconds: 3 * 86_400, exportSeconds: 8 * 86_400 };
const archiveKey = primitives.decapsulator(new Uint8Array(32).fill(0x26));
const clock = leapingClock(1_767_225_600_000 + 600_000);
const people = chatPeople(clock);
const events: LogEvent[] = [];

let folder: string;
let relay: Relay;
let ada: Person;
let bo: Person;
let signed: SignedManifest;
let said: string[];

const forgotten = () => events.filter((event) => event.event === 'forgotten');
const archive = () => folderDestination(pathOf(folder, 'archive'));

beforeAll(async () => {
  folder = await mkdtemp(pathOf(tmpdir(), 'keytide-story-'));
  const log = (event: LogEvent): void => void events.push(event);
  relay = await startRelay({ database: { kind: 'memory' }, port: 0, clock, log });
  const founding = { relayUrl: relay.url, handle: 'ada', policy };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }));
  await ada.client.setPolicy((before) => ({ ...before, archiveKey: archiveKey.publicKey }));
  const link = await ada.client.invite();
  bo = await people.enters((entered) => join({ ...entered, link, handle: 'bo' }));
});

afterAll(async () => {
  await people.close();
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

test('they talk for a week, and nothing is forgotten', async () => {
  await says(ada, 'the bridge is closed');
  await hears(bo, 'the bridge is closed');
  await says(bo, 'we take the upper road');
  await hears(ada, 'we take the upper road');
  await people.leaves(bo);
  for (let day = 2; day <= 6; day += 2) {
    await people.sleep(2 * DAY_MS);
    await says(ada, `day ${day}`);
  }
  said = textsOf(ada);
  expect(said).toHaveLength(5);
  await relay.forget();
  expect(forgotten()).toEqual([]);
});

test('ada takes everything out; without a key anybody finds it whole, and who has said so', async () => {
  ({ signed } = await exportOrganisation(ada.client, { destination: archive() }));
  const { org } = ada.client;
  const report = await verifyArchive({ primitives, files: archive(), org });
  expect(report).toMatchObject({ verdict: 'sound', findings: [], archive: { isOrgExpected: true } });
  // Whoever starts an epoch signs what the log was.
  expect(report.groups[0]?.provenThrough[0]?.seq).toBeGreaterThan(3);
});

test('once she says so, the relay forgets at its time, and not before', async () => {
  for (let day = 8; day <= 12; day += 2) {
    await people.sleep(2 * DAY_MS);
    await says(ada, `day ${day}`);
  }
  await relay.forget();
  expect(forgotten()).toEqual([]);
  expect(await acknowledgeArchive(ada.client, signed)).toBe('acknowledged');
  expect(await relay.forget()).toBe(true);
  expect(forgotten()).toMatchObject([{ firstSeq: 1 }]);
});

test('who comes now has nothing of it; the archive has all, and opens with the key alone', async () => {
  const link = await ada.client.invite();
  const cy = await people.enters((entered) => join({ ...entered, link, handle: 'cy' }));
  await says(cy, 'hello');
  expect(textsOf(cy)).not.toContain('the bridge is closed');

  const identities = [hybridIdentity(primitives, archiveKey)];
  const files = archive();
  const report = await verifyArchive({ primitives, files, identities });
  expect(report).toMatchObject({ verdict: 'sound', findings: [] });
  const opened = await readArchive({ primitives, files, identities });
  expect(opened.members.map(({ handle }) => handle).toSorted()).toEqual(['ada', 'bo']);
  const texts: unknown[] = [];
  for (const { group } of opened.groups)
    for await (const entry of opened.entries(group)) {
      if (entry.kind !== 'message') continue;
      const [, , , , , , body] = decodeCbor(entry.payload, entry.payload.length) as unknown[];
      texts.push((body as { text: string }).text);
    }
  expect(texts).toEqual(said);
});
