import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { addApproval, readArchiveStats, readSignedManifest, verifyArchive } from '@keytide/archive';
import { readJsonLines } from '@keytide/archive/formats';
import { folderDestination } from '@keytide/archive/node';
import { createOrganisation, join } from '@keytide/client';
import { acknowledgeArchive, approveArchive, exportOrganisation } from '@keytide/client/export';
import { decodeCbor, printShare, Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runKeytide } from '../../packages/cli/test/run-keytide.ts';
import { chatPeople, hears, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const clock = leapingClock(1_767_225_600_000);
const people = chatPeople(clock);
/** What each holder keeps in a drawer. */
const sheets: string[] = [];

let folder: string;
let relay: Relay;
let ada: Person;
let bo: Person;
let cy: Person;
let set: Uint8Array;
let said: string[];

const archive = () => folderDestination(pathOf(folder, 'archive'));
const verdict = async () => {
  const { verdict: found, archive: what } = await verifyArchive({
    ...{ primitives, files: archive(), org: ada.client.org },
  });
  return [found, what?.approvals];
};

beforeAll(async () => {
  folder = await mkdtemp(pathOf(tmpdir(), 'keytide-story-'));
  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log: () => {} });
  const founding = { relayUrl: relay.url, handle: 'ada' };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }));
  const admin = await ada.client.invite({ role: 'admin' });
  bo = await people.enters((entered) => join({ ...entered, link: admin, handle: 'bo' }));
  const link = await ada.client.invite();
  cy = await people.enters((entered) => join({ ...entered, link, handle: 'cy' }));
});

afterAll(async () => {
  await people.close();
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

test('ada splits a key among three, of whom two open archives; whoever exports needs one further admin', async () => {
  const seed = Secret.own(random(32));
  const archiveKey = seed.use((bytes) => primitives.decapsulator(bytes).publicKey);
  const dealt = await ada.client.dealArchiveKey(seed, { threshold: 2, holders: ['Ana', 'Bram', 'Chidi'] });
  seed.dispose();
  ({ set } = dealt);
  for (const { share } of dealt.shares) {
    sheets.push(printShare(share));
    share.dispose();
  }
  await ada.client.setPolicy((before) => ({ ...before, archiveKey, approvals: { export: 2 } }));
  await says(ada, 'the bridge is closed');
  await hears(cy, 'the bridge is closed');
  await says(cy, 'we take the upper road');
  await hears(ada, 'we take the upper road');
  said = textsOf(ada);
});

test('what ada takes out counts once bo has approved it; neither cy nor ada herself can', async () => {
  const { signed } = await exportOrganisation(ada.client, { destination: archive(), archiveKeySet: set });
  expect(await verdict()).toEqual(['unsound', { given: 1, needed: 2 }]);
  for (const { client } of [ada, cy])
    expect(() => approveArchive(client, signed)).toThrow(expect.objectContaining({ code: 'not-permitted' }));
  await hears(bo, 'we take the upper road');
  // On a copy, at bo's; what comes back is a file of some hundred bytes.
  const copy = pathOf(folder, 'copy of bo');
  await cp(pathOf(folder, 'archive'), copy, { recursive: true });
  const { approval, isCompared } = approveArchive(
    bo.client,
    await readSignedManifest(folderDestination(copy)),
  );
  expect([isCompared, approval.length < 128]).toEqual([true, true]);
  await addApproval({ primitives, archive: archive() }, approval);
  expect(await verdict()).toEqual(['sound', { given: 2, needed: 2 }]);
  expect(await acknowledgeArchive(ada.client, await readArchiveStats(archive()))).toBe('acknowledged');
});

test('bo approves no archive of another log than that of his own device', async () => {
  const { bytes, manifest } = await readSignedManifest(archive());
  const [group] = manifest.groups;
  const other = new Uint8Array(32);
  for (const altered of [
    { ...manifest, groups: [{ ...group!, root: other }] },
    { ...manifest, groups: [] },
    { ...manifest, membership: { ...manifest.membership, root: other } },
    { ...manifest, membership: { size: manifest.membership.size + 1, root: other } },
    { ...manifest, org: 'ab'.repeat(32) as typeof manifest.org },
  ])
    expect(() => approveArchive(bo.client, { bytes, manifest: altered })).toThrow(
      expect.objectContaining({ code: 'other-log' }),
    );
});

test('years later two of the holders open it, on a machine that has nothing but the archive', async () => {
  await people.close();
  await relay.close();
  const machine = pathOf(folder, 'machine');
  await mkdir(machine);
  await cp(pathOf(folder, 'archive'), pathOf(machine, 'archive'), { recursive: true });
  const together = await runKeytide(
    ['recover', pathOf(machine, 'archive'), '--share', '-', '--to', pathOf(machine, 'opened')],
    { env: { HOME: machine }, stdin: `${sheets[2]}\n\n${sheets[0]}\n` },
  );
  expect(together.code, together.stderr).toBe(0);
  expect((await readdir(machine)).toSorted()).toEqual(['archive', 'opened']);

  const texts: unknown[] = [];
  for await (const { entry } of readJsonLines([await readFile(pathOf(machine, 'opened', 'entries.jsonl'))])) {
    if (entry.kind !== 'message') continue;
    const [, , , , , , body] = decodeCbor(entry.payload, entry.payload.length) as unknown[];
    texts.push((body as { text: string }).text);
  }
  expect(texts).toEqual(said);
  expect(await readFile(pathOf(machine, 'opened', 'pages', '000001.html'), 'utf8')).toContain(said[0]);
});
