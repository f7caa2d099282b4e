import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { join, type Client } from '@keytide/client';
import { openFileDeviceStore } from '@keytide/client/node';
import { toBase64Url } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createWipeReceipt } from '@keytide/key-directory';
import { forgeEntry, forgeMembershipLog, withholdEntries } from '@keytide/testkit/hostile-relay';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { noonPorts } from './noon-ports.ts';
import { signerIn } from './seeds.ts';
import {
  definition,
  goesOn,
  heard,
  openStage,
  says,
  stops,
  until,
  type Person,
  type Stage,
} from './stage.ts';

let stage: Stage;
const folders: string[] = [];

beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const has = async ({ store }: Person): Promise<boolean> => (await store.keys.names('')).length > 0;

test('a relay that only says "wiped": refuses logins, cuts sockets, hints', async () => {
  const { ada, bo } = await stage.pair();
  const { hostile } = stage;
  hostile.attack({
    victim: bo.client.device,
    call: async (call, forward) =>
      call.method === 'POST'
        ? { status: 401, body: { code: 'login-refused', message: 'wiped' } }
        : await forward(call),
  });
  for (const link of hostile.linksOf(bo.client.device)) {
    link.toClient({ type: 'hint', topic: 'wipe' });
    link.toClient({ type: 'refused', requestId: null, code: 'not-a-member' });
    link.cut();
  }
  await until(() => bo.failures.some(({ relayCode }) => relayCode === 'not-a-member'), 'bo to be cut off');
  hostile.relent();
  if (bo.client.state.kind === 'stopped') return expect(await has(await stage.reopen(bo))).toBe(true);
  await goesOn(ada, bo);
  expect([await has(bo), heard(bo).length > 2]).toEqual([true, true]);
});

test('a wipe order that nobody signed who may: by a member’s stolen key, with a checkpoint of the relay to match', async () => {
  const { ada, bo } = await stage.pair();
  const cy = await stage.admit(ada, 'cy');
  await until(() => bo.client.members().length === 3, 'bo to know cy');
  const loot = await burgle(ada);
  const stolen = await signerIn(cy.store);
  const body = { kind: 'wipe', target: { of: 'device', device: bo.client.device } } as const;
  const forged = forgeEntry(primitives, loot.directory, stolen, body);
  forgeMembershipLog(stage.hostile, bo.client.device, (wires) => [...wires, forged], stage.relayKey);
  for (const link of stage.hostile.linksOf(bo.client.device)) link.cut();
  expect(await stops(bo)).toMatchObject({ code: 'relay-forked', cause: { code: 'not-permitted' } });
  expect(await has(bo)).toBe(true);
});

test('a wipe order that is withheld: its device gets no further key, and obeys as soon as it sees it', async () => {
  const { ada, bo } = await stage.pair();
  const size = ada.client.directorySize;
  const relent = [
    withholdEntries(stage.hostile, bo.client.device, size),
    stage.hostile.attack({
      victim: bo.client.device,
      toClient: (frame) => (frame.type === 'refused' ? [] : [frame]),
    }),
  ];
  await ada.client.wipe({ of: 'device', device: bo.client.device });
  await says(ada, 'bo must not read this');
  await until(() => bo.failures.length > 0, 'bo to lose its connection');
  expect([await has(bo), bo.client.state.kind === 'wiped']).toEqual([true, false]);
  expect(heard(bo)).not.toContain('bo must not read this');
  for (const end of relent) end();
  await until(() => bo.client.state.kind === 'wiped', 'bo to obey');
  expect(await has(bo)).toBe(false);
  await until(() => heard(ada).includes('bo must not read this'), 'ada to go on');
});

test('a receipt that its device did not sign, or of another order', async () => {
  const { ada, bo } = await stage.pair();
  const stolen = await signerIn((await stage.admit(ada, 'cy')).store);
  const honest = await signerIn(bo.store);
  await ada.client.wipe({ of: 'device', device: bo.client.device });
  await until(() => bo.client.state.kind === 'wiped', 'bo to obey');
  const loot = await burgle(ada);
  const wire = loot.wires.at(-1) as Uint8Array;
  const order = loot.wires.length - 1;
  const claim = { org: ada.client.org, device: bo.client.device, order, wire, destroyedMs: 1 };
  const forgeries = [
    createWipeReceipt(primitives, stolen, claim),
    createWipeReceipt(primitives, honest, { ...claim, wire: loot.wires[1] as Uint8Array }),
    createWipeReceipt(primitives, honest, { ...claim, device: ada.client.device }),
  ];
  for (const forged of forgeries) {
    const relent = stage.hostile.attack({
      victim: ada.client.device,
      call: async (call, forward) =>
        call.path.includes('/wipe-receipts')
          ? { status: 200, body: { receipts: [toBase64Url(forged)], next: null } }
          : await forward(call),
    });
    await expect(ada.client.receipts()).rejects.toMatchObject({
      code: 'relay-misbehaved',
      evidence: [forged],
    });
    relent();
  }
  expect((await ada.client.receipts()).map(({ device }) => device)).toEqual([bo.client.device]);
});

/** A phone on files whose vault has come to need its share. */
async function leased(ada: Person): Promise<{ home: string; client: Client<typeof definition> }> {
  const home = await mkdtemp(path(tmpdir(), 'keytide-hostile-'));
  folders.push(home);
  if (ada.client.policy.leaseSeconds === undefined)
    await ada.client.setPolicy((policy) => ({ ...policy, leaseSeconds: 86_400 }));
  const link = await ada.client.invite();
  const client = await join({ definition, ports: noonPorts, store: await storeIn(home), link, handle: 'cy' });
  await expect.poll(() => flagsOf(home), { timeout: 20_000 }).toBe(1);
  return { home, client };
}

const flagsOf = async (home: string): Promise<number> => (await readFile(path(home, 'vault')))[17] as number;
const storeIn = (home: string) =>
  openFileDeviceStore({
    ...{ home, passphrase: '284913', ports: noonPorts },
    kdf: { memoryKiB: 64, passes: 1, parallelism: 1 },
  });

test('an unlock share that is withheld, or swapped: nothing opens, nothing is lost', async () => {
  const ada = await stage.found();
  const { home, client } = await leased(ada);
  await client.close();
  const before = await readFile(path(home, 'vault'));
  const answers = [
    [{ status: 404, body: { code: 'no-share', message: '' } }, 'lease-over'],
    [{ status: 503, body: { code: 'unavailable', message: '' } }, 'offline'],
    [{ status: 200, body: { share: toBase64Url(new Uint8Array(32)) } }, 'wrong-passphrase'],
    [{ status: 200, body: { share: 'AAAA' } }, 'relay-misbehaved'],
  ] as const;
  for (const [answer, code] of answers) {
    const relent = stage.hostile.attack({
      call: async (call, forward) =>
        call.path.endsWith('/unlock-share/fetch') ? answer : await forward(call),
    });
    await expect(storeIn(home)).rejects.toMatchObject({ code });
    relent();
  }
  expect((await readFile(path(home, 'vault'))).equals(before)).toBe(true);
  const store = await storeIn(home);
  expect((await store.keys.names('')).length).toBeGreaterThan(0);
  await store.close();
});

test('what the relay sees of a passphrase: no two proofs are the same, and the disk has no share', async () => {
  const ada = await stage.found();
  const seen: { path: string; body: Record<string, string> }[] = [];
  stage.hostile.attack({
    call(call, forward) {
      if (call.path.includes('/unlock-share') && call.body !== null)
        seen.push({ path: call.path, body: call.body as Record<string, string> });
      return forward(call);
    },
  });
  const phones = [await leased(ada), await leased(ada)] as const;
  for (const { client } of phones) await client.close();
  const kept = seen.filter(({ path: route }) => route.endsWith('/unlock-share'));
  expect(new Set(kept.map(({ body }) => body['verifier'])).size).toBe(kept.length);
  const [{ home }] = phones;
  expect(kept).toHaveLength(2);
  for (const { body } of kept) {
    const share = Buffer.from(body['share'] as string, 'base64url');
    for (const name of ['vault', 'unlock', 'membership.journal', 'group.journal'])
      expect((await readFile(path(home, name))).includes(share)).toBe(false);
  }
});
