import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededWorld, type SeededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOrganisations, type Organisations } from '../src/organisations.ts';
import { openStore } from '../src/sql/open.ts';
import type { RelayStore } from '../src/store.ts';

const PAGE = 3;
const signer = primitives.signer(new Uint8Array(32).fill(3));
let store: RelayStore;
beforeAll(async () => {
  ({ store } = await openStore({ kind: 'memory' }, primitives, 0));
});
afterAll(() => store.close());

/** The store with this log, handing out small pages, and what was asked of it. */
async function smallPages({ org, clock }: SeededWorld, wires: readonly Uint8Array[]) {
  for (const [index, wire] of wires.entries()) {
    const growth = { hashes: [], nodes: [], checkpoint: new Uint8Array(1) };
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

function organisationsOf(pages: RelayStore, { clock }: SeededWorld): Organisations {
  return createOrganisations({ store: pages, primitives, signer, clock, idle: 10, grown: () => {} });
}

test('a log of many pages is replayed whole', async () => {
  const world = seededWorld({ seed: 'pages', members: 4, devicesPerMember: 2 });
  const { pages, asked } = await smallPages(world, world.wires);
  const found = await organisationsOf(pages, world).find(world.org);
  expect(found?.state).toMatchObject({ size: world.wires.length, root: world.state.root });
  expect(asked).toEqual([0, 3, 6, 9, 12]);
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
