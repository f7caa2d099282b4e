import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import {
  hybridIdentity,
  readArchive,
  readArchiveStats,
  verifyArchive,
  type SignedManifest,
} from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { createOrganisation, join } from '@keytide/client';
import { acknowledgeArchive, exportOrganisation, readRetentionLedger } from '@keytide/client/export';
import { decodeCbor } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type LogEvent, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatPeople, hears, says, textsOf, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const DAY_MS = 86_400_000;
const DAY0_MS = 1_767_225_600_000;
/** What nobody has exported stays: nothing is waived. */
const policy = { blockSeconds: 86_400, retentionSeconds: 3 * 86_400, exportSeconds: 8 * 86_400 };
const archiveKey = primitives.decapsulator(new Uint8Array(32).fill(0x26));
const clock = leapingClock(DAY0_MS + 600_000);
const people = chatPeople(clock);
const events: LogEvent[] = [];

/** What the relay signs and shows about retention. */
interface Shown {
  deleted: string[];
  exported: string[];
}
/** What becomes of it on the way to ada. */
let tampered = (shown: Shown): Shown => shown;
const onTheWay: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!String(input).endsWith('/retention')) return response;
  return Response.json(tampered((await response.json()) as Shown), { status: response.status });
};
/** Without its last byte, and another in its place. */
const altered = (wire: string): string => `${wire.slice(0, -2)}${wire.endsWith('AA') ? 'BA' : 'AA'}`;

let folder: string;
let relay: Relay;
let ada: Person;
let bo: Person;
let signed: SignedManifest;
let said: string[];

const forgotten = () => events.filter((event) => event.event === 'forgotten');
/** The ledger as ada sees it: what of the log has which state, and what is to be done about it; and what is found. */
async function ledgerOf(offline = false) {
  const given = signed === undefined ? [] : [{ signed, verdict: 'sound' as const, isWhole: true }];
  const ledger = await readRetentionLedger(ada.client, { archives: given, offline });
  const states = ledger.rows.map(({ state, todo }) => (todo === null ? state : `${state}, ${todo}`));
  return { ...ledger, states: [...new Set(states)], codes: ledger.findings.map(({ code }) => code) };
}
const archive = () => folderDestination(pathOf(folder, 'archive'));

beforeAll(async () => {
  folder = await mkdtemp(pathOf(tmpdir(), 'keytide-story-'));
  const log = (event: LogEvent): void => void events.push(event);
  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log });
  const founding = { relayUrl: relay.url, handle: 'ada', policy };
  const ports = { ...clock.ports(), fetch: onTheWay };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }), ports);
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
  // The first of it is due in three days, and a quarter of Y is two.
  const { states, codes, rows } = await ledgerOf();
  expect([states, codes]).toEqual([['kept'], []]);
  expect(rows[0]).toMatchObject({ firstSeq: 1, writtenFromMs: DAY0_MS, dueMs: DAY0_MS + 9 * DAY_MS });
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
  expect((await ledgerOf()).states).toEqual(['exported, acknowledge', 'exported', 'kept']);
  expect(await acknowledgeArchive(ada.client, await readArchiveStats(archive()))).toBe('acknowledged');
  expect((await ledgerOf()).states).toEqual(['released', 'kept']);
  expect(await relay.forget()).toBe(true);
  expect(forgotten()).toMatchObject([{ firstSeq: 1 }]);
});

test('a relay that withholds what it has signed, or shows what nobody has, is found out', async () => {
  tampered = (shown) => ({ ...shown, deleted: [] });
  expect((await ledgerOf()).codes).toEqual(['deleted-unsaid']);
  tampered = (shown) => ({ ...shown, deleted: shown.deleted.map(altered) });
  expect((await ledgerOf()).codes).toEqual(['receipt-refused', 'deleted-unsaid']);
  tampered = (shown) => ({ ...shown, exported: shown.exported.map(altered) });
  expect((await ledgerOf()).codes).toEqual(['acknowledgement-refused']);
  // What it has shown once it cannot take back.
  tampered = (shown) => ({ ...shown, deleted: [], exported: [] });
  expect((await ledgerOf()).codes).toEqual([]);
});

test('the ledger has who exported it and by whose word it is gone; also without the relay', async () => {
  const { rows, states, codes, archives } = await ledgerOf();
  expect([states, codes]).toEqual([['deleted', 'released', 'kept'], []]);
  const [gone] = forgotten();
  expect(rows[0]).toMatchObject({
    archives: [0],
    acknowledged: [{ by: { handle: 'ada' }, isOfLog: true }],
    deletion: { firstSeq: 1, lastSeq: gone?.lastSeq, isOfLog: true },
  });
  expect(archives).toMatchObject([{ counts: true, firstSeq: 1, by: { handle: 'ada' } }]);
  const offline = await ledgerOf(true);
  expect([offline.isRelayAsked, offline.rows.map(({ state }) => state)]).toEqual([
    false,
    rows.map(({ state }) => state),
  ]);
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
