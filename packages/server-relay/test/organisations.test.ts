import type { OrgId, Primitives } from '@keytide/crypto-core';
import { createPolicyChange } from '@keytide/key-directory';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { memoryDatabase, type SeededWorld, seededWorld, signLog } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newestPolicyOf } from '../src/newest-policy.ts';
import { createOrganisations, type Organisations } from '../src/organisations.ts';
import { openStore } from '../src/sql/open.ts';
import type { RelayStore } from '../src/store.ts';

const PAGE = 3;
const signer = primitives.signer(new Uint8Array(32).fill(3));
let store: RelayStore;
beforeAll(async () => {
  ({ store } = await openStore(memoryDatabase(), primitives, 0));
});
afterAll(() => store.close());

/** The store with this log, handing out small pages, and what was asked of it. */
async function smallPages(
  { org, clock }: SeededWorld,
  wires: readonly Uint8Array[],
  checkpointOf: (size: number) => Uint8Array = () => new Uint8Array(1),
) {
  for (const [index, wire] of wires.entries()) {
    const growth = { hashes: [], nodes: [], checkpoint: checkpointOf(index + 1) };
    if (index === 0) await store.createOrganisation({ org, wire, growth, nowMs: clock.now() });
    else await store.appendLogEntry({ org, index, wire, growth, ended: [] });
  }
  const asked: number[] = [];
  const readLog: RelayStore['readLog'] = async (id, from) => {
    asked.push(from);
    const page = await store.readLog(id, from);
    return page === null ? null : { ...page, entries: page.entries.slice(0, PAGE) };
  };
  return { pages: { ...store, readLog }, asked };
}

function organisationsOf(
  pages: RelayStore,
  { clock }: SeededWorld,
  provider: Primitives = primitives,
  idle: number = 10,
): Organisations {
  return createOrganisations({
    store: pages,
    primitives: provider,
    signer,
    clock,
    idle,
    grown: () => {},
  });
}

/** Real signatures, each of them noted. */
function counting(): { provider: Primitives; checked: () => number } {
  let checks = 0;
  const provider: Primitives = {
    ...primitives,
    verifier(publicKey) {
      const real = primitives.verifier(publicKey);
      return { publicKey, verify: (...given) => ((checks += 1), real.verify(...given)) };
    },
  };
  return { provider, checked: () => checks };
}

test('a log of many pages is replayed whole', async () => {
  const world = seededWorld({ seed: 'pages', members: 4, devicesPerMember: 2 });
  const { pages, asked } = await smallPages(world, world.wires);
  const found = await organisationsOf(pages, world).find(world.org);
  expect(found?.state).toMatchObject({ size: world.wires.length, root: world.state.root });
  expect(asked).toEqual([0, 3, 6, 9, 12]);
});

test('whoever is loaded makes room of what nobody holds, the longest not needed first', async () => {
  const worlds = ['a', 'b', 'c', 'd'].map((seed) => seededWorld({ seed: `room ${seed}`, members: 1 }));
  const reads: string[] = [];
  const counted: RelayStore = {
    ...store,
    readLog: (org, from) => (reads.push(org), store.readLog(org, from)),
  };
  for (const world of worlds) await smallPages(world, world.wires);
  const organisations = organisationsOf(counted, worlds[0] as SeededWorld, primitives, 2);
  const [a, b, c, d] = worlds.map(({ org }) => org) as [OrgId, OrgId, OrgId, OrgId];
  const held = await organisations.pin(a);
  for (const org of [b, c, c, a, b]) await organisations.find(org);
  // a is held; c had to go for b, as b for c before.
  expect(reads).toEqual([a, b, c, b]);
  held?.release();
  for (const org of [d, b, a]) await organisations.find(org);
  expect(reads.slice(4)).toEqual([d, a]);
});

test('a page is judged before the next is read', async () => {
  const world = seededWorld({ seed: 'a refused page', members: 4, devicesPerMember: 2 });
  const [refused] = world.wires.slice(2, 3) as [Uint8Array];
  const { pages, asked } = await smallPages(world, world.wires.with(4, refused));
  await expect(organisationsOf(pages, world).find(world.org)).rejects.toMatchObject({
    code: 'wrong-predecessor',
  });
  expect(asked).toEqual([0, 3]);
});

test('what this relay has signed is not judged again: one signature for each page, its own', async () => {
  const world = seededWorld({ seed: 'signed pages', members: 4, devicesPerMember: 2 });
  const signed = (size: number) =>
    signLog({ primitives, signer, org: world.org }, world.wires.slice(0, size)).note;
  const { pages, asked } = await smallPages(world, world.wires, signed);
  const { provider, checked } = counting();
  const found = await organisationsOf(pages, world, provider).find(world.org);
  expect(found?.state).toMatchObject({ size: world.wires.length, root: world.state.root });
  expect([checked(), asked.length]).toEqual([5, 5]);
});

test('signatures of another key, and for another size, are none: everything is judged', async () => {
  const world = seededWorld({ seed: 'pages of another key', members: 4, devicesPerMember: 2 });
  const other = primitives.signer(new Uint8Array(32).fill(4));
  const notes = (size: number) =>
    size > 6
      ? signLog({ primitives, signer: other, org: world.org }, world.wires.slice(0, size)).note
      : signLog({ primitives, signer, org: world.org }, world.wires.slice(0, size - 1 || 1)).note;
  const { pages } = await smallPages(world, world.wires, notes);
  const { provider, checked } = counting();
  const found = await organisationsOf(pages, world, provider).find(world.org);
  expect(found?.state).toMatchObject({ size: world.wires.length, root: world.state.root });
  expect(checked()).toBeGreaterThan(2 * world.wires.length);
});

test('a stored log that is not the signed one is no log', async () => {
  const world = seededWorld({ seed: 'altered pages', members: 4, devicesPerMember: 2 });
  const signed = (size: number) =>
    signLog({ primitives, signer, org: world.org }, world.wires.slice(0, size)).note;
  const altered = (world.wires[4] as Uint8Array).slice();
  altered[altered.length - 1] = (altered[altered.length - 1] as number) ^ 1;
  const { pages } = await smallPages(world, world.wires.with(4, altered), signed);
  await expect(organisationsOf(pages, world).find(world.org)).rejects.toMatchObject({ code: 'bad-proof' });
});

test('what is deleted is deleted by the policy that another node has heard of', async () => {
  const world = seededWorld({ seed: 'newest policy', members: 1 });
  const { org } = world;
  await smallPages(world, world.wires);
  const node = organisationsOf(store, world);
  const policyOf = newestPolicyOf({ store, organisations: node });
  const { exportSeconds, ...rest } = (await policyOf(org))!;
  const policy = { ...rest, exportSeconds: 2 * exportSeconds };
  const wire = createPolicyChange({ ...world.as(world.members[0].devices[0]), policy });
  const growth = { hashes: [], nodes: [], checkpoint: new Uint8Array(1) };
  await store.appendLogEntry({ org, index: world.wires.length, wire, growth, ended: [] });
  expect((await node.find(org))?.state.policy).toMatchObject({ exportSeconds });
  expect(await policyOf(org)).toMatchObject({ exportSeconds: 2 * exportSeconds });
});

test('a genesis that is there is known before anything is signed or stored', async () => {
  const world = seededWorld({ seed: 'founded again', members: 1 });
  const [genesis] = world.wires as [Uint8Array];
  const done: string[] = [];
  const organisations = createOrganisations({
    store: {
      ...store,
      createOrganisation: (given) => (done.push('store'), store.createOrganisation(given)),
    },
    primitives,
    signer: { ...signer, sign: (bytes) => (done.push('sign'), signer.sign(bytes)) },
    clock: world.clock,
    idle: 1,
    grown: () => {},
  });
  const create = () => organisations.create(genesis, async () => {});
  expect(await create()).toEqual({ org: world.org, isNew: true });
  expect(done.splice(0)).toEqual(['sign', 'store']);
  expect(await create()).toEqual({ org: world.org, isNew: false });
  expect(done).toEqual([]);
});

test('one entry given back at two nodes at once: both take it, and another in its place comes too late', async () => {
  const world = seededWorld({ seed: 'two nodes', members: 1 });
  const { org } = world;
  expect(world.wires).toHaveLength(1);
  const [device] = world.members[0].devices;
  const { exportSeconds, ...rest } = world.state.policy;
  const policyOf = (times: number) =>
    createPolicyChange({ ...world.as(device), policy: { ...rest, exportSeconds: times * exportSeconds } });
  const wire = policyOf(2);
  const subject = { kind: 'device', id: device.id } as const;
  const fast = organisationsOf(store, world);
  await fast.create(world.wires[0] as Uint8Array, async () => {});
  /** The fast node is first, after this one has looked. */
  const slow = () =>
    organisationsOf(
      {
        ...store,
        async appendLogEntry(addition) {
          await fast.append(org, subject, wire);
          await store.appendLogEntry(addition);
        },
      },
      world,
    );
  const index = 1;
  const [same, other] = [slow(), slow()];
  // Before anything is there.
  for (const node of [same, other]) await node.find(org);
  const given = await Promise.all([
    same.append(org, subject, wire),
    other.append(org, subject, policyOf(3)).catch((error: unknown) => error),
  ]);
  expect(given).toMatchObject([index, { code: 'head-moved', size: index + 1 }]);
  expect((await same.find(org))?.state.size).toBe(index + 1);
});
