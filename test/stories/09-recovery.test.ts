import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  recoverOrganisation,
  sensitive,
  type Client,
  type DeviceStore,
  type RecoverOptions,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { combineShares, dealQuorum, Secret, verifyQuorumSet } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import type { Policy } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

const PATIENCE = { timeout: 20_000 };
const kept = (): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} });
const options = (store: DeviceStore = kept()) => ({ definition, ports: nodePorts, store });

let relay: Relay;
let ada: Device;
let bo: Device;
let cy: Device;
let dee: Device;
const adasStore = kept();
const deesStore = kept();
/** What the five holders have in their drawers: the signed set, and a share each. */
let set: Uint8Array;
let shares: readonly Secret[];
let dealer: Uint8Array;

const withoutKey = ({ recoveryKey: _spent, ...policy }: Policy): Policy => policy;
const keyOf = (seed: Secret): Uint8Array => seed.use((bytes) => primitives.signer(bytes).publicKey);
const textsOf = (device: Device): string[] => device.collections.chat.read().map(({ body }) => body.text);
const handlesOf = (device: Device): string[] =>
  device
    .members()
    .map(({ handle, role }) => `${handle}: ${role}`)
    .toSorted();

/** Three of the five open their drawers. */
async function recombined(): Promise<Secret> {
  const known = verifyQuorumSet(primitives, set, {
    org: cy.org,
    dealer: primitives.verifier(dealer),
    previous: null,
    publicKey: cy.policy.recoveryKey ?? null,
  });
  const three = [4, 0, 2].map((place) => shares[place] as Secret);
  return (await combineShares(primitives, known, three)).secret;
}

function recovering(seed: Secret, more: Partial<RecoverOptions<typeof definition>> = {}) {
  return recoverOrganisation({
    ...options(),
    relayUrl: relay.url,
    org: cy.org,
    seed,
    handle: 'dee',
    policy: withoutKey,
    ...more,
  });
}

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  ada = await createOrganisation({ ...options(adasStore), relayUrl: relay.url, handle: 'ada' });
  bo = await join({ ...options(), link: await ada.invite({ role: 'admin' }), handle: 'bo' });
  cy = await join({ ...options(), link: await ada.invite(), handle: 'cy' });
});

afterAll(async () => {
  for (const client of [cy, dee]) await client?.close();
  await relay?.close();
});

test('while all is well, ada splits a recovery key among five people, any three of whom can use it', async () => {
  await ada.collections.chat.append({ text: 'before' });
  await expect.poll(() => textsOf(cy), PATIENCE).toEqual(['before']);
  const seed = Secret.own(nodeRandom(32));
  const dealing = primitives.signer(nodeRandom(32));
  dealer = dealing.publicKey;
  const dealt = await dealQuorum({
    primitives,
    random: nodeRandom,
    signer: dealing,
    org: ada.org,
    kind: 'ed25519-seed',
    secret: seed,
    threshold: 3,
    holders: ['Ines', 'Jo', 'Kim', 'Lu', 'Max'],
    createdMs: Date.now(),
  });
  set = dealt.set;
  shares = dealt.shares.map(({ share }) => share);
  await ada.setPolicy((policy) => ({ ...policy, recoveryKey: keyOf(seed) }));
  seed.dispose();
  await expect.poll(() => cy.policy.recoveryKey, PATIENCE).toBeDefined();
});

test('both admins are lost: nobody can let anybody in', async () => {
  await ada.close();
  await bo.close();
  await expect(cy.invite()).rejects.toMatchObject({ code: 'not-permitted' });
});

test('with another key the relay lets nobody in, and the store stays free', async () => {
  const store = kept();
  const error = { code: 'relay-refused', relayCode: 'login-refused' };
  await expect(recovering(Secret.own(nodeRandom(32)), { store })).rejects.toMatchObject(error);
  await expect(connect(options(store))).rejects.toMatchObject({ code: 'no-organisation' });
});

test('a relay that shows a log without what a member has noted is found out', async () => {
  const anchor = { size: cy.directorySize, root: nodeRandom(32) };
  const longer = { size: cy.directorySize + 1, root: nodeRandom(32) };
  // On one device: what was noted wrongly does not spoil it.
  for (const noted of [anchor, longer, anchor]) {
    await expect(recovering(await recombined(), { store: deesStore, anchor: noted })).rejects.toMatchObject({
      code: 'relay-forked',
    });
  }
});

test('the key cannot be named again: it was whole in somebody’s hands', async () => {
  await expect(recovering(await recombined(), { policy: (old) => old })).rejects.toMatchObject({
    code: 'id-reused',
  });
});

test('three of the five put dee in as admin, and take the lost ones out, with the same stroke', async () => {
  const seed = await recombined();
  const removed = [ada.member, bo.member];
  dee = await recovering(seed, { store: deesStore, removed });
  expect(handlesOf(dee)).toEqual(['cy: member', 'dee: admin']);
  expect(dee.policy.recoveryKey).toBeUndefined();
  await expect.poll(() => handlesOf(cy), PATIENCE).toEqual(['cy: member', 'dee: admin']);
});

test('the others go on, and see it; what was said before stays unreadable to dee, and says why', async () => {
  await cy.collections.chat.append({ text: 'welcome, dee' });
  await expect.poll(() => textsOf(dee), PATIENCE).toEqual(['welcome, dee']);
  await dee.collections.chat.append({ text: 'thank you' });
  await expect.poll(() => textsOf(cy), PATIENCE).toEqual(['before', 'welcome, dee', 'thank you']);
  expect(dee.unreadable.map(({ code }) => code)).toEqual(['ask-an-admin']);
  await dee.setRole(cy.member, 'admin');
  await dee.setRole(cy.member, 'member');
});

test('a lost device that turns up again is nobody’s', async () => {
  const found = await connect(options(adasStore));
  await expect.poll(() => found.state.kind, PATIENCE).toBe('stopped');
  await found.close();
});

test('the spent key opens nothing more; the same call again changes nothing', async () => {
  const seed = await spentSeed();
  await expect(recovering(seed)).rejects.toMatchObject({ relayCode: 'login-refused' });
  const size = cy.directorySize;
  await dee.close();
  dee = await recovering(seed, { store: deesStore });
  expect(dee.directorySize).toBe(size);
  await expect(recovering(Secret.own(nodeRandom(32)), { store: deesStore })).rejects.toMatchObject({
    code: 'already-joined',
  });
});

test('a lost answer loses nothing: the same call goes on, also when the key is spent by then', async () => {
  const seed = Secret.own(nodeRandom(32));
  await dee.setPolicy((policy) => ({ ...policy, recoveryKey: keyOf(seed) }));
  const store = kept();
  let isLost = true;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const answer = await nodePorts.fetch(input, init);
    if (!isLost || init?.method !== 'POST' || !String(input).endsWith('/log')) return answer;
    throw new TypeError('the line is dead');
  };
  const ports = { ...nodePorts, fetch };
  const again = { store, ports, handle: 'eve' };
  await expect(recovering(seed, again)).rejects.toMatchObject({ code: 'offline' });
  await expect.poll(() => handlesOf(dee), PATIENCE).toContain('eve: admin');
  isLost = false;
  const size = dee.directorySize;
  const eve = await recovering(seed, again);
  expect(eve.directorySize).toBe(size);
  await eve.close();
});

test('a crash before anything was handed in: the same call goes on, and without the key it cannot', async () => {
  const seed = Secret.own(nodeRandom(32));
  await dee.setPolicy((policy) => ({ ...policy, recoveryKey: keyOf(seed) }));
  const store = kept();
  const fetch: typeof globalThis.fetch = (input, init) =>
    init?.method === 'POST' && String(input).endsWith('/log')
      ? Promise.reject(new TypeError('the line is dead'))
      : nodePorts.fetch(input, init);
  const cut = { store, ports: { ...nodePorts, fetch }, handle: 'fay' };
  await expect(recovering(seed, cut)).rejects.toMatchObject({ code: 'offline' });
  await expect(connect(options(store))).rejects.toMatchObject({ relayCode: 'login-refused' });
  const fay = await recovering(seed, { store, handle: 'fay' });
  await expect.poll(() => handlesOf(dee), PATIENCE).toContain('fay: admin');
  await fay.close();
});

/** The holders could still put the key together: the set is theirs, and the log says that it was spent. */
async function spentSeed(): Promise<Secret> {
  const known = verifyQuorumSet(primitives, set, {
    org: cy.org,
    dealer: primitives.verifier(dealer),
    previous: null,
    publicKey: null,
  });
  return (await combineShares(primitives, known, shares)).secret;
}
