import {
  fullPlan,
  type AggregatePlan,
  type AggregateRecord,
  type AggregateRelease,
} from '@keytide/archive/aggregates';
import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type Ports,
} from '@keytide/client';
import {
  aggregateLedger,
  proposeRelease,
  publishedRelease,
  publishedReleases,
  publishRelease,
  readReleaseProposal,
  releases,
  submitRelease,
} from '@keytide/client/aggregates';
import { nodePorts } from '@keytide/client/node';
import { toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createAggregatesEntry, type BodyOf } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { releaseHash } from '../../packages/client/src/aggregates-document.ts';
import { appendEntry } from '../../packages/client/src/append-entry.ts';
import { coreOf } from '../../packages/client/src/client.ts';
import { keptStore } from '../stories/chat-people.ts';

const PATIENCE = { timeout: 20_000 };
const DAY_MS = 86_400_000;
const definition = defineOrganisation({
  requests: sensitive.record(z.object({ at: z.number(), kind: z.string(), address: z.string() })),
  releases: releases(),
});
type Device = Client<typeof definition>;

const KINDS = ['medical', 'fire', 'traffic'];
const DAY = Date.UTC(2026, 0, 15);
const store = keptStore();
const sent: Uint8Array[] = [];
let isCut = false;
let relay: Relay;
let ada: Device;
let bo: Device;
let cy: Device;

/** Ada's: everything that she says is heard, and documents may not get through. */
const ports: Ports = {
  ...nodePorts,
  fetch: (input, init) => {
    if (isCut && init?.method === 'PUT') return Promise.reject(new TypeError('no network'));
    const body = typeof init?.body === 'string' ? init.body : '';
    sent.push(Buffer.from(body));
    for (const [text] of body.matchAll(/[A-Za-z0-9_-]{8,}/g)) sent.push(Buffer.from(text, 'base64url'));
    return nodePorts.fetch(input, init);
  },
};

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  ada = await createOrganisation({ definition, ports, store, relayUrl: relay.url, handle: 'ada' });
  const joins = async (handle: string, role: 'admin' | 'member'): Promise<Device> => {
    const link = await ada.invite({ role });
    return join({ definition, ports: nodePorts, store: memoryDeviceStore(), link, handle });
  };
  [bo, cy] = [await joins('bo', 'admin'), await joins('cy', 'member')];
  await ada.setPolicy((policy) => ({
    ...policy,
    privacyBudget: { epsilonMilli: 5, periodSeconds: 30 * 86_400 },
  }));
  await Promise.all([ada, bo, cy].map((client) => client.online()));
  await ada.collections.requests.createMany(
    Array.from({ length: 90 }, (_, i) => {
      const at = DAY + (i % 5) * DAY_MS;
      return { at, kind: KINDS[i % 7 === 0 ? 1 : 2 * (i % 2)] as string, address: `${i} Bridge Lane` };
    }),
  );
  await ada.settled();
});

afterAll(async () => {
  await Promise.all([ada, bo, cy].map((client) => client?.close()));
  await relay?.close();
});

const recordsOf = (client: Device): AggregateRecord[] =>
  client.collections.requests.list().map(({ body }) => body);

/** The kinds on some of the days. */
const planOf = (from: number, to: number, more: Partial<AggregatePlan> = {}): AggregatePlan => ({
  dataset: 'requests',
  period: { field: 'at', from: DAY + from * DAY_MS, to: DAY + to * DAY_MS },
  views: [{ name: 'kinds', dimensions: [{ field: 'kind', categories: KINDS }] }],
  ...more,
});

function publishes(client: Device, plan: AggregatePlan): Promise<AggregateRelease> {
  const { releases: collection } = client.collections;
  return publishRelease(client, { plan, records: recordsOf(client), collection });
}

const shownBy = async (client: Device) => await publishedReleases(client, client.collections.releases);

test('an admin publishes, everybody has the numbers, and the requests stay where they are', async () => {
  for (const client of [bo, cy]) await expect.poll(() => recordsOf(client).length, PATIENCE).toBe(90);
  sent.length = 0;
  const release = await publishes(ada, planOf(0, 2));
  expect(release.atoms[0]?.reduce((sum, { count }) => sum + count, 0)).toBe(36);
  const all = Buffer.concat(sent).toString('latin1');
  expect(all).toContain('traffic');
  expect(all).not.toContain('Bridge Lane');
  for (const { id } of ada.collections.requests.list()) expect(all).not.toContain(id);
  for (const client of [ada, bo, cy])
    await expect
      .poll(async () => (await shownBy(client)).map((one) => one.release), PATIENCE)
      .toEqual([release]);
  expect((await shownBy(cy))[0]).toMatchObject({ dataset: 'requests', author: ada.device, epsilonMilli: 0 });
});

test('who asks again gets what is published, whatever has become of the requests', async () => {
  const request = bo.collections.requests
    .list()
    .find(({ body }) => body.at === DAY && body.kind === 'traffic');
  await bo.collections.requests.edit(request?.id as string, { kind: 'medical' });
  const size = bo.directorySize;
  expect(await publishes(bo, planOf(0, 2))).toEqual(await publishes(ada, planOf(0, 2)));
  expect(bo.directorySize).toBe(size);
  await bo.settled();
  const kinds = (client: Device): unknown[] => recordsOf(client).map(({ kind }) => kind);
  await expect.poll(() => kinds(ada), PATIENCE).toEqual(kinds(bo));
});

test('no other numbers are published of the period, or of a part of it, by anybody', async () => {
  for (const client of [ada, bo]) {
    for (const plan of [
      planOf(0, 2, { k: 11 }),
      planOf(1, 2),
      planOf(0, 3),
      planOf(0, 2, {
        views: [{ name: 'kinds', dimensions: [{ field: 'kind', categories: [...KINDS].toReversed() }] }],
      }),
    ])
      await expect(publishes(client, plan)).rejects.toMatchObject({ code: 'already-published' });
    expect(aggregateLedger(client, 'requests').releases).toHaveLength(1);
  }
});

test('of two who publish at once the log takes one, and both say the same or one is refused', async () => {
  const differing = await Promise.allSettled([
    publishes(ada, planOf(2, 3)),
    publishes(bo, planOf(2, 3, { roundTo: 5 })),
  ]);
  const refused = differing.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  expect(refused).toMatchObject([{ code: 'already-published' }]);
  const [mine, theirs] = await Promise.all([publishes(ada, planOf(3, 4)), publishes(bo, planOf(3, 4))]);
  expect(mine).toEqual(theirs);
  await expect
    .poll(async () => (await shownBy(cy)).map(({ release }) => release !== null), PATIENCE)
    .toEqual([true, true, true]);
});

test('broken off behind the log, it goes on: also with noise, which nobody can draw again', async () => {
  const plan = planOf(4, 5, { epsilonMilli: 3 });
  isCut = true;
  await expect(publishes(ada, plan)).rejects.toMatchObject({ code: 'offline' });
  await expect
    .poll(async () => (await shownBy(cy)).at(-1), PATIENCE)
    .toMatchObject({
      ...{ epsilonMilli: 3, release: null },
    });
  await expect(publishes(bo, plan)).rejects.toMatchObject({ code: 'already-published' });
  await ada.close();
  isCut = false;
  ada = await connect({ definition, ports, store });
  await ada.online();
  const release = await publishes(ada, plan);
  await expect.poll(async () => (await shownBy(cy)).at(-1)?.release, PATIENCE).toEqual(release);
  expect(await publishes(bo, plan)).toEqual(release);
  expect(await store.keys.names('aggregates/')).toEqual([]);
  await expect(publishes(bo, planOf(-1, 0, { epsilonMilli: 3 }))).rejects.toMatchObject({
    code: 'budget-spent',
  });
});

test('what is not what the log names is not shown', async () => {
  const [first, second, third] = await shownBy(bo);
  const replaces = async (from: number | undefined, release: AggregateRelease): Promise<void> => {
    const { releases: collection } = bo.collections;
    const named = (await collection.list()).find(({ body }) => body.release.plan.period.from === from);
    await collection.put(named?.id as string, { release });
  };
  await replaces(first?.fromMs, second?.release as AggregateRelease);
  await replaces(third?.fromMs, { ...(third?.release as AggregateRelease), atoms: [[]] });
  await expect
    .poll(async () => (await shownBy(cy)).map(({ release }) => release !== null), PATIENCE)
    .toEqual([false, true, false, true]);
  // Who can make it again puts it right; of the first, a request says something else by now.
  expect(await publishes(ada, planOf(3, 4))).toEqual(third?.release);
  await expect(publishes(ada, planOf(0, 2))).rejects.toMatchObject({ code: 'already-published' });
  await expect.poll(async () => (await shownBy(cy))[2]?.release, PATIENCE).toEqual(third?.release);
});

test('members publish nothing, and nobody what is no collection, or is not over', async () => {
  await expect(publishes(cy, planOf(-2, -1))).rejects.toMatchObject({ code: 'not-permitted' });
  const other = { ...planOf(-2, -1), dataset: 'requests of january' };
  await expect(publishes(ada, other)).rejects.toMatchObject({ code: 'bad-plan' });
  const open = planOf(-2, -1);
  const from = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const period = { ...open.period, from, to: from + DAY_MS };
  await expect(publishes(ada, { ...open, period })).rejects.toMatchObject({ code: 'period-open' });
  expect(await store.keys.names('aggregates/')).toEqual([]);
});

/** An admin's own app enters what it likes, as far as the rules let it. */
async function enters(
  client: Device,
  release: AggregateRelease,
  more: Partial<BodyOf<'aggregates'>> = {},
): Promise<void> {
  const { dataset, period } = release.plan;
  const hash = releaseHash(primitives, release);
  const said = { dataset, fromMs: period.from, toMs: period.to, epsilonMilli: 0, release: hash, ...more };
  await appendEntry(coreOf(client).log, (context) => ({
    wire: createAggregatesEntry({ ...context, aggregates: said }),
  }));
  await client.collections.releases.put(toHex(hash), { release });
}

test('an admin who enters something else than the release says is not believed', async () => {
  const lies: [AggregatePlan, Partial<BodyOf<'aggregates'>>][] = [
    [planOf(-1, 0), { dataset: 'chats' }],
    [planOf(-3, -2), { fromMs: DAY - 4 * DAY_MS }],
    [planOf(-6, -5), { toMs: DAY - 4 * DAY_MS }],
    [planOf(-8, -7, { epsilonMilli: 1 }), {}],
    [planOf(-9, -8), {}],
  ];
  for (const [plan, lie] of lies) await enters(bo, { version: 1, plan: fullPlan(plan), atoms: [[]] }, lie);
  const newest = async () => (await shownBy(cy)).slice(-lies.length);
  await expect
    .poll(async () => (await newest()).map(({ problem }) => problem), PATIENCE)
    .toEqual([...Array.from({ length: 4 }, () => 'other-release'), null]);
  expect((await newest()).map(({ release }) => release !== null)).toEqual([false, false, false, false, true]);
  const noisy = lies[3]?.[0] as AggregatePlan;
  expect(await publishedRelease(cy, cy.collections.releases, noisy)).toBeNull();
  await expect(publishes(ada, noisy)).rejects.toMatchObject({ code: 'already-published' });
});

test('where exports take two admins, the second sees the numbers, counts them again, and approves them', async () => {
  await ada.setPolicy((policy) => ({ ...policy, approvals: { export: 2 } }));
  await expect.poll(() => bo.directorySize, PATIENCE).toBe(ada.directorySize);
  const plan = planOf(-12, -11);
  const of = { plan, records: recordsOf(ada) };
  await expect(publishes(ada, plan)).rejects.toMatchObject({ code: 'approval-needed' });
  await expect(proposeRelease(cy, { ...of, records: recordsOf(cy) })).rejects.toMatchObject({
    code: 'not-permitted',
  });
  const proposed = await proposeRelease(ada, of);
  sent.length = 0;
  expect(readReleaseProposal(bo, proposed, recordsOf(bo))).toMatchObject({ approvals: 1, isSame: true });
  const fewer = [
    ...recordsOf(bo),
    ...Array.from({ length: 12 }, () => ({ at: plan.period.from, kind: 'fire' })),
  ];
  expect(readReleaseProposal(bo, proposed, fewer)).toMatchObject({ isSame: false });
  const altered = { ...proposed.release, atoms: [] };
  for (const release of [altered, (await shownBy(bo))[1]?.release as AggregateRelease])
    expect(() => readReleaseProposal(bo, { ...proposed, release }, recordsOf(bo))).toThrow(
      expect.objectContaining({ code: 'other-release' }),
    );
  const { proposal } = proposed;
  const submits = (client: Device, approvals: Uint8Array[]) =>
    submitRelease(client, proposal, { approvals, collection: client.collections.releases });
  await expect(submits(ada, [])).rejects.toMatchObject({ code: 'approval-needed' });
  expect(Buffer.concat(sent).toString('latin1')).not.toContain('traffic');
  const approval = await bo.approve(proposal);
  // Whoever submits it cannot show it, unless they have made it.
  expect(await submits(bo, [approval])).toBe(false);
  expect((await shownBy(bo)).at(-1)).toMatchObject({ problem: 'not-shown' });
  expect(await submits(ada, [approval])).toBe(true);
  await expect.poll(async () => (await shownBy(cy)).at(-1)?.release, PATIENCE).toEqual(proposed.release);
  expect(await publishes(bo, plan)).toEqual(proposed.release);
  await expect(proposeRelease(ada, of)).rejects.toMatchObject({ code: 'already-published' });
});

test('a proposal that was made anew leaves nothing behind, and noise is nobody’s to count again', async () => {
  const plan = planOf(-14, -13, { epsilonMilli: 1 });
  const of = { plan, records: recordsOf(ada) };
  await proposeRelease(ada, { ...of, plan: { ...plan, k: 11 } });
  const proposed = await proposeRelease(ada, of);
  expect(readReleaseProposal(bo, proposed, [])).toMatchObject({ isSame: null });
  const approvals = [await bo.approve(proposed.proposal)];
  await submitRelease(ada, proposed.proposal, { approvals, collection: ada.collections.releases });
  expect(await store.keys.names('aggregates/')).toEqual([]);
  const role = await ada.propose({ kind: 'policy', change: (policy) => ({ ...policy, blockSeconds: 60 }) });
  await expect(
    submitRelease(ada, role, { approvals: [], collection: ada.collections.releases }),
  ).rejects.toMatchObject({ code: 'other-release' });
});
