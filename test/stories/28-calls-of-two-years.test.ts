import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { hybridIdentity, readArchive, verifyArchive, type SignedManifest } from '@keytide/archive';
import {
  publishAggregates,
  tabulate,
  type AggregatePlan,
  type AggregateRecord,
  type AggregateRelease,
} from '@keytide/archive/aggregates';
import { entriesIn, recordStates } from '@keytide/archive/formats';
import { folderDestination } from '@keytide/archive/node';
import {
  attachment,
  ClientError,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
} from '@keytide/client';
import {
  aggregateLedger,
  aggregateLedgerIn,
  publishedReleases,
  publishRelease,
  releases,
} from '@keytide/client/aggregates';
import { exportOrganisation, recordMerge } from '@keytide/client/export';
import {
  combineShares,
  parseQuorumSet,
  Secret,
  verifyQuorumSet,
  type DealtQuorum,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { replay, type DirectoryState } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { parseDeclaration } from '../../packages/cli/src/aggregate-declaration.ts';
import { requestSchema, type HelpRequest } from '../../packages/cli/src/organisation.ts';
import { requestRecords } from '../../packages/cli/src/request-records.ts';
import { parseRequestsCsv } from '../../packages/cli/src/requests-csv.ts';
import { callList } from './call-list.ts';
import { leapingClock } from './leaping-clock.ts';

/** A list of calls of one's own, in place of the one that is made up here. */
const { KEYTIDE_CALLS } = process.env;
const DAY_MS = 86_400_000;
const PATIENCE = { timeout: 60_000 };
const BATCHES = 6;
/** Blocks of a week: a device that sleeps for some days is still sealed to. */
const policy = { blockSeconds: 7 * 86_400, retentionSeconds: 28 * 86_400, exportSeconds: 90 * 86_400 };
const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string() })),
  requests: sensitive.record(requestSchema.extend({ photo: attachment().exactOptional() })),
  releases: releases(),
});
type Device = Client<typeof definition>;
type Shown = { readonly id: string; readonly body: HelpRequest };

const clock = leapingClock(Date.UTC(2026, 0, 1, 0, 10));
const drawn = seededRandom('28');
let folder: string;
let relay: Relay;
let ada: Device;
let bo: Device;
let cy: Device;
let dee: Device;
let calls: readonly HelpRequest[];
let lines: readonly string[];
let dealt: DealtQuorum;
let plan: AggregatePlan;
let published: AggregateRelease;
/** As ada's device shows them, at the end. */
let shown: readonly Shown[];
let first: SignedManifest;

beforeAll(async () => {
  folder = await mkdtemp(pathOf(tmpdir(), 'keytide-story-'));
  const csv = KEYTIDE_CALLS === undefined ? callList('calls', 120) : await readFile(KEYTIDE_CALLS, 'utf8');
  calls = parseRequestsCsv(Buffer.from(csv)).requests;
  lines = csv.trim().split(/\r?\n/).slice(1);
  expect(calls.length).toBe(lines.length);

  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log: () => {} });
  ada = await createOrganisation({
    ...{ definition, ports: clock.ports(), store: memoryDeviceStore() },
    ...{ relayUrl: relay.url, handle: 'ada', policy },
  });
  const seed = Secret.own(random(32));
  const { publicKey } = seed.use((bytes) => primitives.decapsulator(bytes));
  dealt = await ada.dealArchiveKey(seed, { threshold: 2, holders: ['Ana', 'Bram', 'Chidi'] });
  seed.dispose();
  await ada.setPolicy((before) => ({ ...before, archiveKey: publicKey }));
  [bo, cy] = [await joins('bo', 'admin'), await joins('cy')];
});

afterAll(async () => {
  await Promise.all([ada, bo, cy, dee].map((client) => client?.close()));
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Who types in what came in, in turns. */
const people = (): Device[] => (dee === undefined ? [bo, cy, ada] : [bo, dee, ada]);

async function joins(handle: string, role: 'admin' | 'member' = 'member'): Promise<Device> {
  const link = await ada.invite({ role });
  const entered = { definition, ports: clock.ports(), store: memoryDeviceStore() };
  const client = await join({ ...entered, link, handle });
  await client.online();
  return client;
}

/** After a leap there may be no key yet to write with. */
async function does(by: Device, work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    await by.online();
    try {
      await work();
      return await by.settled();
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'not-ready') throw error;
    }
  }
}

/** Some days later everybody is online again. */
async function later(ms: number): Promise<void> {
  const back = people().map(
    (client) =>
      new Promise<void>((resolve) => {
        const stop = client.on('state', ({ kind }) => {
          if (kind !== 'online') return;
          stop();
          resolve();
        });
      }),
  );
  clock.leap(ms);
  await Promise.all(back);
}

/** All who are there have the same of these requests. */
async function agree(ids: readonly string[]): Promise<void> {
  const said = ({ collections: { requests } }: Device): string =>
    JSON.stringify(ids.map((id) => requests.get(id)).map((one) => one && bare(one)));
  for (const client of people()) await expect.poll(() => said(client) === said(ada), PATIENCE).toBe(true);
}

const bare = ({ id, body }: Shown): [string, [string, unknown][]] => [
  id,
  Object.entries(body).toSorted(([a], [b]) => (a < b ? -1 : 1)),
];

/** A part of the calls is typed in, corrected, worked on and talked about. */
async function days(batch: number): Promise<void> {
  const [typist, other, third] = [0, 1, 2].map((turn) => people()[(batch + turn) % 3]) as [
    Device,
    Device,
    Device,
  ];
  const size = Math.ceil(calls.length / BATCHES);
  const typed = calls.slice(batch * size, (batch + 1) * size);
  let ids: string[] = [];
  await does(typist, async () => {
    ids = await typist.collections.requests.createMany(
      typed.map((call, i) => (i % 10 === 0 ? { ...call, township: 'SOMEWHERE' } : call)),
    );
  });
  const bogus = typed.slice(0, 3).map((call) => ({ ...call, title: `${call.title} (TEST)` }));
  let mistaken: string[] = [];
  await does(typist, async () => {
    mistaken = await typist.collections.requests.createMany(bogus);
  });
  await agree([...ids, ...mistaken]);
  await does(other, async () => {
    for (const [i, id] of ids.entries()) {
      if (i % 10 === 0) await other.collections.requests.edit(id, { township: typed[i]?.township as string });
      if (i % 25 === 3) {
        const photo = await other.attachments.upload(drawn(2_000 + 50 * i), { name: `${i}.jpg` });
        await other.collections.requests.edit(id, { photo });
      }
    }
    await other.collections.chat.append({ text: `corrected those of batch ${batch}` });
  });
  await does(typist, async () => {
    for (const id of mistaken) await typist.collections.requests.remove(id);
  });
  await Promise.all([
    does(third, async () => {
      for (const id of ids.filter((_, i) => i % 4 === 0))
        await third.collections.requests.edit(id, { status: 'done', note: 'closed at once' });
    }),
    does(other, async () => {
      for (const id of ids.filter((_, i) => i % 6 === 0))
        await other.collections.requests.edit(id, { status: 'assigned' });
      await other.collections.chat.append({ text: 'who takes the rest?' });
    }),
  ]);
  await agree([...ids, ...mistaken]);
}

const archive = (name: string) => folderDestination(pathOf(folder, name));

test('for three weeks calls are typed in, corrected and worked on by people who come and go', async () => {
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await days(batch);
    if (batch === 2) {
      ({ signed: first } = await exportOrganisation(ada, { destination: archive('first') }));
      await ada.removeMember(cy.member);
      dee = await joins('dee');
    }
    if (batch < BATCHES - 1) await later(3 * DAY_MS);
  }
  shown = ada.collections.requests.list();
  expect(shown).toHaveLength(calls.length);
  expect(bo.collections.requests.list().map(bare)).toEqual(shown.map(bare));
  // Who came later has what was written since.
  expect(dee.collections.requests.list().length).toBeLessThan(calls.length);
  expect(ada.rejected).toEqual([]);
}, 240_000);

test('the numbers of the period are published once, and are those of the list', async () => {
  const townships = [...new Set(calls.map(({ township }) => township))].toSorted();
  const declared = {
    period: { from: '2016-01-01', to: '2018-01-01' },
    views: [
      { name: 'kinds', dimensions: [{ field: 'kind', categories: ['EMS', 'Fire', 'Traffic'] }] },
      { name: 'places', dimensions: [{ field: 'township', categories: townships }] },
      { name: 'hours', dimensions: [{ field: 'hour', cuts: [6, 10, 12, 14, 18] }] },
      { name: 'days', dimensions: [{ field: 'reportedAt' }] },
    ],
  };
  plan = parseDeclaration(JSON.stringify(declared));
  const { records, timeless } = requestRecords(shown);
  expect(timeless).toBe(0);
  for (const roundTo of [1, 5, 10]) {
    const rounded = { ...plan, roundTo };
    const { release } = publishAggregates({
      ...{ plan: rounded, records, random, nowMs: clock.now(), ledger: aggregateLedger(ada, 'requests') },
    });
    expectTrue(release, roundTo);
  }
  const { releases: collection } = ada.collections;
  published = await publishRelease(ada, { plan, records, collection });
  expectTrue(published, 1);
  await expect(
    publishRelease(bo, { plan: { ...plan, k: 11 }, records, collection: bo.collections.releases }),
  ).rejects.toMatchObject({ code: 'already-published' });
  await expect
    .poll(async () => (await publishedReleases(dee, dee.collections.releases))[0]?.release, PATIENCE)
    .toEqual(published);
});

test('all of it is taken out, in two parts and as a whole', async () => {
  await exportOrganisation(ada, { destination: archive('rest'), since: first });
  const { signed, missing } = await exportOrganisation(ada, { destination: archive('all') });
  expect(missing).toEqual([]);
  figure(signed.manifest.groups[0], signed.manifest.files, [...shown].length, 'requests');
  expect(signed.manifest.groups[0]).toMatchObject({ invalid: {}, unreadable: {}, skipped: 0 });
  await Promise.all([ada, bo, dee, cy].map((client) => client.close()));
  await relay.close();
});

test('years later two of three sheets open it where there is no relay, and it says the same', async () => {
  const wires = await gather(
    (await readArchive({ primitives, files: archive('all'), identities: [] })).source.membership(),
  );
  const state = replay(primitives, wires);
  const identities = [hybridIdentity(primitives, await archiveKeyOf(state))];
  const opened = async (name: string) => {
    const report = await verifyArchive({
      ...{ primitives, files: archive(name), org: state.org, identities },
      ...(name === 'rest' ? { previous: first } : {}),
    });
    expect(report.findings.filter(({ weight }) => weight === 'fault')).toEqual([]);
    expect(report.verdict).toBe('sound');
    return readArchive({ primitives, files: archive(name), identities, org: state.org });
  };
  const parts = [await opened('first'), await opened('rest')];
  const whole = await opened('all');
  for (const entries of [entriesIn(...parts), entriesIn(whole)]) {
    const found: Shown[] = [];
    for await (const one of recordStates(entries, { collection: 'requests', merge: recordMerge(definition) }))
      if (one.state === 'shown') found.push({ id: one.id, body: one.body as unknown as HelpRequest });
    const inOrder = found.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(inOrder.map(bare)).toEqual(shown.map(bare));
    const { records } = requestRecords(inOrder);
    expect(made(plan, records)).toEqual(published);
    // What was published is in the archive as well, and stays the only numbers of the period.
    const ledger = aggregateLedgerIn(state, 'requests');
    expect(() => publishAggregates({ plan, records, random, nowMs: Date.now(), ledger })).toThrow(
      expect.objectContaining({ code: 'already-published' }),
    );
  }
  expect([...whole.attachments.values()].length).toBeGreaterThan(calls.length / 30);
}, 240_000);

function made(of: AggregatePlan, records: readonly AggregateRecord[]): AggregateRelease {
  const ledger = { dataset: of.dataset, budget: null, releases: [] };
  return publishAggregates({ plan: of, records, random, nowMs: clock.now(), ledger }).release;
}

/** By two of the three sheets, and the set that the holders keep. */
async function archiveKeyOf(state: DirectoryState) {
  const { dealer } = parseQuorumSet(primitives, dealt.set);
  const signedBy = state.devices.get(dealer)?.signingPublicKey as Uint8Array;
  const set = verifyQuorumSet(primitives, dealt.set, {
    ...{ org: state.org, dealer: primitives.verifier(signedBy), previous: null },
    publicKey: state.policy.archiveKey as Uint8Array,
  });
  const { secret } = await combineShares(
    primitives,
    set,
    dealt.shares.slice(1).map(({ share }) => share),
  );
  return secret.use((bytes) => primitives.decapsulator(bytes));
}

/** Each number is that of the lines of the list, as far as it is told and to what it is rounded. */
function expectTrue(release: AggregateRelease, roundTo: number): void {
  const cells = lines.map((line) => line.split(','));
  const labels: { readonly [view: string]: (row: readonly string[]) => string } = {
    kinds: (row) => row[2]?.slice(0, row[2].indexOf(':')) as string,
    places: (row) => row[4] as string,
    hours: (row) => {
      const hour = Number(row[3]?.slice(11, 13));
      if (hour < 6) return 'under 6';
      if (hour >= 18) return '18 and over';
      return hour < 10
        ? '6 to under 10'
        : hour < 12
          ? '10 to under 12'
          : hour < 14
            ? '12 to under 14'
            : '14 to under 18';
    },
    days: (row) => row[3]?.slice(0, 10) as string,
  };
  for (const { name, dimensions } of release.plan.views) {
    const counts = new Map<string, number>();
    for (const row of cells) {
      const label = labels[name]?.(row) as string;
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    const by = dimensions.map(({ field }) => ({ field }));
    const table = tabulate(release, { view: name, by });
    const trueCount = (places: readonly number[]): number =>
      places.reduce((sum, place) => sum + (counts.get(table.cells[place]?.labels[0] as string) ?? 0), 0);
    const told = [
      ...table.cells.flatMap(({ numbers }, place) => (numbers === null ? [] : [{ numbers, cells: [place] }])),
      ...table.together,
    ];
    // Every cell is in exactly one number.
    expect(told.flatMap(({ cells: places }) => places).toSorted((a, b) => a - b)).toEqual(
      table.cells.map((_, place) => place),
    );
    let total = 0;
    for (const { numbers, cells: places } of told) {
      total += numbers.count;
      expect(trueCount(places)).toBeGreaterThanOrEqual(release.plan.k);
      expect(Math.abs(numbers.count - trueCount(places))).toBeLessThan(roundTo);
    }
    expect(Math.abs(total - lines.length)).toBeLessThanOrEqual(roundTo / 2);
    figure(name, `of ${table.cells.length} cells ${told.length} numbers, rounded to ${roundTo}`);
  }
}

/** Figures of a run by hand. */
function figure(...figures: readonly unknown[]): void {
  if (KEYTIDE_CALLS !== undefined) console.info(...figures);
}

async function gather<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}
