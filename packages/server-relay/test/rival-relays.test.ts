import { toHex, type OrgId } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import {
  changedHeads,
  createInvite,
  headsOf,
  mapRoot,
  originOf,
  parseCheckpointText,
  parseNote,
  proveLookup,
  treeRoot,
  verifyLookup,
} from '@keytide/key-directory';
import { openStore, type RelayStore } from '@keytide/server-relay';
import { seededWorld, startPostgres, type TestPostgres } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOrganisations, type Organisations } from '../src/organisations.ts';
import { waysOf } from '../src/log-growth.ts';
import { nextEntries } from './random-history.ts';

// Two relays that do not hear of each other, on one database.
const seed = 'rival relays';
const world = seededWorld({ seed, members: 3 });
const { clock, org, primitives, random } = world;
const founder = { kind: 'device', id: world.members[0].devices[0].id } as const;
let postgres: TestPostgres;
let store: RelayStore;
let relays: readonly [Organisations, Organisations];

beforeAll(async () => {
  postgres = await startPostgres();
  const database = { kind: 'postgres', url: postgres.url, keyFile: 'not made by a store' } as const;
  ({ store } = await openStore(database, nodePrimitives, clock.now()));
  const signer = nodePrimitives.signer(new Uint8Array(32).fill(12));
  const relay = () => createOrganisations({ store, primitives, signer, clock, idle: 10, grown: () => {} });
  relays = [relay(), relay()];
});
afterAll(async () => {
  await store?.close();
  await postgres?.stop();
});

const anyRelay = (): Organisations => relays[(random(1)[0] as number) % 2] as Organisations;

async function verifyAll(of: OrgId): Promise<void> {
  const { state } = world;
  const checkpoint = await store.readCheckpoint(of, 'newest');
  const { text } = parseNote(checkpoint?.note as Uint8Array);
  const { origin, size, root, mapRoot: heads } = parseCheckpointText(text);
  expect({ origin, size, root: toHex(root) }).toEqual({
    origin: originOf(of),
    size: state.size,
    root: toHex(state.root),
  });
  const items = headsOf(primitives, state);
  expect(toHex(heads as Uint8Array)).toBe(toHex(mapRoot(primitives, items)));
  const tree = await treeRoot(primitives, { readTile: (tile) => store.readTile(of, tile) }, size);
  expect(toHex(tree)).toBe(toHex(state.root));
  for (const { key, leaf } of items) {
    const source = await waysOf(store, of, heads as Uint8Array, [key]);
    const proof = await proveLookup(primitives, source, heads as Uint8Array, key);
    expect(verifyLookup(primitives, heads as Uint8Array, key, proof)).toEqual(leaf);
  }
}

test('both may be given the genesis and any entry; a relay that is behind catches up', async () => {
  const [genesis, ...rest] = world.wires as [Uint8Array, ...Uint8Array[]];
  const created = await Promise.all(relays.map((relay) => relay.create(genesis, async () => {})));
  expect(created.map((answer) => answer.org)).toEqual([org, org]);
  expect(created.filter(({ isNew }) => isNew)).toHaveLength(1);
  for (const relay of relays) expect((await relay.find(org))?.state.size).toBe(1);
  for (const wire of rest) await anyRelay().append(org, founder, wire);
  for (let step = 0; step < 20; step += 1)
    for (const wire of nextEntries(world)) await anyRelay().append(org, founder, wire);
  await verifyAll(org);
});

test('of rivals for one place, one wins and the others hear how long the log is', async () => {
  for (let round = 0; round < 12; round += 1) {
    const { size } = world.state;
    const wires = [0, 1, 2, 3].map(
      () =>
        createInvite({
          ...world.as(world.members[0].devices[0]),
          random,
          role: 'member',
          expiresMs: clock.now() + 1,
        }).wire,
    );
    const results = await Promise.allSettled(
      wires.map((wire, i) => (relays[i % 2] as Organisations).append(org, founder, wire)),
    );
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    for (const [i, result] of results.entries()) {
      if (i === winner) expect(result).toEqual({ status: 'fulfilled', value: size });
      else expect(result, seed).toMatchObject({ reason: { code: 'head-moved', size: size + 1 } });
    }
    world.append(wires[winner] as Uint8Array);
    for (const wire of nextEntries(world)) await anyRelay().append(org, founder, wire);
    await verifyAll(org);
  }
});

test('what an entry costs does not grow with the organisation', async () => {
  const big = seededWorld({ seed: 'a large organisation', members: 120 });
  const [genesis, ...rest] = big.wires as [Uint8Array, ...Uint8Array[]];
  let nodes = 0;
  const counting: RelayStore = {
    ...store,
    appendLogEntry(addition) {
      nodes = addition.growth.nodes.length;
      return store.appendLogEntry(addition);
    },
  };
  const signer = nodePrimitives.signer(new Uint8Array(32).fill(12));
  const relay = createOrganisations({
    store: counting,
    primitives,
    signer,
    clock: big.clock,
    idle: 1,
    grown: () => {},
  });
  await relay.create(genesis, async () => {});
  const device = { kind: 'device', id: big.members[0].devices[0].id } as const;
  for (const wire of rest) {
    const before = (await relay.find(big.org))!.state;
    await relay.append(big.org, device, wire);
    const after = (await relay.find(big.org))!.state;
    const changed = changedHeads(primitives, before, after).length;
    // A way in a map of 240 heads has about 8 branches; the whole map has 479 nodes.
    expect(nodes).toBeLessThanOrEqual(changed * 24);
  }
}, 120_000);
