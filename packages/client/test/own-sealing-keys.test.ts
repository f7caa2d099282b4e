import { encodeCbor, memoryKeyStore, Secret, verifySealingRecord, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { loadIdentity, saveIdentity } from '../src/identity.ts';
import { memoryJournal } from '../src/journal.ts';
import { OwnSealingKeys } from '../src/own-sealing-keys.ts';

const world = seededWorld({ seed: 'own sealing keys', members: 1 });
const { random, state, org } = world;
const [{ id: member, devices }] = world.members;
const [own] = devices;
const blockMs = state.policy.blockSeconds * 1000;
const retentionMs = state.policy.retentionSeconds * 1000;
const startMs = own.own.notAfterMs;
const at = (blocks: number) => startMs + blocks * blockMs;

/** A store in which a write can fail, before it has happened or after. */
function crashingStore() {
  const store = memoryKeyStore();
  let fails: 'before' | 'after' | null = null;
  const keyStore: KeyStore = {
    ...store,
    get: (name) => store.get(name),
    names: (prefix) => store.names(prefix),
    async write(batch) {
      const how = fails;
      fails = null;
      if (how === 'before') throw new Error('crash');
      await store.write(batch);
      if (how === 'after') throw new Error('crash');
    },
  };
  return { keyStore, failNext: (how: 'before' | 'after') => void (fails = how) };
}

async function made() {
  const { keyStore, failNext } = crashingStore();
  const identity = {
    org,
    relayUrl: 'https://relay.example.org',
    member,
    signingSeed: Secret.own(own.signingSeed.slice()),
    sealingSeed: Secret.own(own.sealingSeed.slice()),
  };
  await saveIdentity(
    keyStore,
    identity,
    { kind: 'join', link: 'l', handle: null },
    { size: 1, root: state.root },
  );
  /** As after a start of the process. */
  const open = async (): Promise<OwnSealingKeys> => {
    const directory = await DirectoryReplica.open({
      primitives,
      journal: memoryJournal(),
      keyStore: memoryKeyStore(),
      org,
    });
    await directory.append(world.wires);
    const stored = await loadIdentity(keyStore);
    const firstSeed = stored?.identity.sealingSeed ?? null;
    const { id: device, signer } = own;
    return OwnSealingKeys.open({ primitives, random, keyStore, directory, device, signer, firstSeed });
  };
  return { keyStore, failNext, open };
}

const publicKeysOf = (keys: OwnSealingKeys, createdMs: number) =>
  keys.keysFor({ author: 'somebody' as never, createdMs }).map(({ publicKey }) => publicKey);

/** Adds a key and publishes it. */
async function publish(keys: OwnSealingKeys, fromMs: number): Promise<void> {
  await keys.add(fromMs);
  await keys.confirm(keys.unpublished as Uint8Array);
}

test('the next key is signed by this device, in force for a block, and waits to be published', async () => {
  const { open } = await made();
  const keys = await open();
  expect(keys.newest).toMatchObject({ publicKey: own.decapsulator.publicKey });
  await keys.add(at(0));
  const record = verifySealingRecord(
    primitives,
    primitives.verifier(own.signer.publicKey),
    keys.unpublished as Uint8Array,
  );
  expect(record).toEqual(keys.newest);
  expect([record.notBeforeMs, record.notAfterMs]).toEqual([at(0), at(1)]);
  await keys.confirm(keys.unpublished as Uint8Array);
  expect(keys.unpublished).toBeNull();
});

test('a crash before a key is stored leaves none; one after it, the key, to be published', async () => {
  for (const [how, count] of [
    ['before', 0],
    ['after', 1],
  ] as const) {
    const { open, failNext, keyStore } = await made();
    const keys = await open();
    failNext(how);
    await expect(keys.add(at(0))).rejects.toThrow('crash');
    expect(keys.unpublished).toBeNull();
    const again = await open();
    expect(await keyStore.names('sealing/')).toHaveLength(count);
    expect(again.unpublished === null).toBe(count === 0);
    expect(publicKeysOf(again, at(0.5))).toHaveLength(1 + count);
  }
});

test('a key is durable before anybody can know of it, and opens boxes also while the answer is out', async () => {
  const { open, failNext } = await made();
  const keys = await open();
  await keys.add(at(0));
  const wire = keys.unpublished as Uint8Array;
  failNext('before');
  await expect(keys.confirm(wire)).rejects.toThrow('crash');
  const again = await open();
  expect(again.unpublished).toEqual(wire);
  expect(publicKeysOf(again, at(0.5))[0]).toEqual(again.newest?.publicKey);
});

test('a record that the relay refuses takes its secret with it', async () => {
  const { open, keyStore } = await made();
  const keys = await open();
  await keys.add(at(0));
  await keys.withdraw(keys.unpublished as Uint8Array);
  expect(await keyStore.names('sealing/')).toEqual([]);
  expect(keys.newest).toMatchObject({ publicKey: own.decapsulator.publicKey });
});

test('secrets go when nothing can come for them any more, the first one too, for good', async () => {
  const { open, keyStore } = await made();
  const keys = await open();
  for (const block of [0, 1, 2]) await publish(keys, at(block));
  await keys.deleteExpired({ nowMs: at(0.9), syncedMs: at(0.9) }, []);
  expect((await loadIdentity(keyStore))?.identity.sealingSeed).not.toBeNull();
  await keys.deleteExpired({ nowMs: at(2.1), syncedMs: at(2.1) }, []);
  expect((await loadIdentity(keyStore))?.identity.sealingSeed).toBeNull();
  expect(publicKeysOf(keys, at(0.5))).toHaveLength(0);
  expect(publicKeysOf(keys, at(1.5))).toHaveLength(1);
  const again = await open();
  expect(publicKeysOf(again, at(0.5))).toHaveLength(0);
  expect(publicKeysOf(again, at(2.5))).toHaveLength(2);
  // The newest goes as well, when its grace and a block are over; its record stays, to be continued.
  await again.deleteExpired({ nowMs: at(6), syncedMs: at(6) }, []);
  expect(publicKeysOf(again, Infinity)).toHaveLength(0);
  expect(again.newest?.notAfterMs).toBe(at(3));
  expect((await open()).newest?.notAfterMs).toBe(at(3));
});

test('a secret stays while an epoch whose key is missing may still come, and no longer', async () => {
  const { open } = await made();
  const keys = await open();
  for (const block of [0, 1, 2, 3]) await publish(keys, at(block));
  const missing = [{ createdMs: at(0.5), blockEndMs: at(1) }];
  await keys.deleteExpired({ nowMs: at(3.5), syncedMs: at(3.5) }, missing);
  expect(publicKeysOf(keys, at(0.5)).length).toBeGreaterThan(0);
  const lateMs = at(1) + retentionMs;
  await keys.deleteExpired({ nowMs: lateMs, syncedMs: lateMs }, missing);
  expect(publicKeysOf(keys, at(0.5))).toHaveLength(0);
});

test('a crash while secrets are deleted leaves each of them whole or gone', async () => {
  for (const how of ['before', 'after'] as const) {
    const { open, failNext } = await made();
    const keys = await open();
    for (const block of [0, 1, 2]) await publish(keys, at(block));
    failNext(how);
    await expect(keys.deleteExpired({ nowMs: at(2.1), syncedMs: at(2.1) }, [])).rejects.toThrow('crash');
    const again = await open();
    await again.deleteExpired({ nowMs: at(2.1), syncedMs: at(2.1) }, []);
    expect(publicKeysOf(again, at(0.5))).toHaveLength(0);
    expect(publicKeysOf(again, at(2.5))).toHaveLength(2);
  }
});

test('says when nobody could seal to this device', async () => {
  const { open } = await made();
  const keys = await open();
  expect([keys.wasSilent(at(0.9)), keys.wasSilent(at(1.1))]).toEqual([false, true]);
  await publish(keys, at(3));
  expect([keys.wasSilent(at(2)), keys.wasSilent(at(3.5))]).toEqual([true, false]);
});

test('a key whose answer is out has its time like any other, and ends no other’s', async () => {
  const { open, keyStore } = await made();
  const keys = await open();
  await publish(keys, at(0));
  await keys.add(at(1));
  // Whether anybody knows of the second is open, so the first can be sealed to until its grace is over.
  await keys.deleteExpired({ nowMs: at(2.9), syncedMs: at(2.9) }, []);
  expect(publicKeysOf(keys, at(0.5))).toHaveLength(1);
  await keys.deleteExpired({ nowMs: at(3.9), syncedMs: at(3.9) }, [
    { createdMs: at(1.5), blockEndMs: at(2) },
  ]);
  expect(publicKeysOf(keys, at(1.5))).toHaveLength(2);
  await keys.deleteExpired({ nowMs: at(4), syncedMs: at(4) }, [{ createdMs: at(1.5), blockEndMs: at(2) }]);
  expect(publicKeysOf(keys, at(1.5))).toHaveLength(2);
  await keys.deleteExpired({ nowMs: at(4), syncedMs: at(4) }, []);
  expect(publicKeysOf(keys, at(1.5))).toHaveLength(0);
  // Without its secret it is never sent.
  expect(keys.unpublished).toBeNull();
  expect(keys.newest?.notAfterMs).toBe(at(1));
  expect(await keyStore.names('sealing/')).toHaveLength(1);
});

test('a key whose answer is out goes also when the relay is never heard again', async () => {
  const { open, keyStore } = await made();
  const keys = await open();
  await keys.add(at(0));
  const goneMs = (Math.floor(at(0) / blockMs) + 1) * blockMs + retentionMs;
  await keys.deleteExpired({ nowMs: goneMs - 1, syncedMs: 0 }, []);
  expect(await keyStore.names('sealing/')).toHaveLength(1);
  await keys.deleteExpired({ nowMs: goneMs, syncedMs: 0 }, []);
  expect(await keyStore.names('sealing/')).toHaveLength(0);
});

test('says whether the secret for a box is gone: of the key that a box of then is sealed to', async () => {
  const { open } = await made();
  const keys = await open();
  const isGone = (atMs: number) => keys.hasDeleted({ author: 'somebody' as never, createdMs: atMs });
  await publish(keys, at(0));
  await publish(keys, at(1));
  expect([isGone(at(-0.5)), isGone(at(0.5)), isGone(at(1.5))]).toEqual([false, false, false]);
  await keys.deleteExpired({ nowMs: at(1.5), syncedMs: at(1.5) }, []);
  expect([isGone(at(-0.5)), isGone(at(0.5)), isGone(at(1.5))]).toEqual([true, false, false]);
  expect(keys.hasNewest).toBe(true);
  await keys.deleteExpired({ nowMs: at(4), syncedMs: at(4) }, []);
  expect([isGone(at(1.5)), keys.hasNewest]).toEqual([true, false]);
  expect(keys.hasDeleted({ author: own.id, createdMs: at(0.5) })).toBe(true);
  await keys.add(at(4));
  // One's own epochs are sealed to the key in force, or to the newest, whenever it starts.
  expect(keys.hasDeleted({ author: own.id, createdMs: at(0.5) })).toBe(true);
  expect(keys.hasDeleted({ author: own.id, createdMs: at(4.5) })).toBe(false);
  expect(keys.keysFor({ author: own.id, createdMs: at(0.5) })).toHaveLength(1);
  expect(isGone(at(0.5))).toBe(true);
});

test('records are kept for as long as they can tell anything, and the newest for good', async () => {
  const { open, keyStore } = await made();
  const keys = await open();
  for (const block of [0, 1, 2]) await publish(keys, at(block));
  const forgottenMs = at(1) + retentionMs + 4 * blockMs;
  await keys.deleteExpired({ nowMs: forgottenMs, syncedMs: forgottenMs }, []);
  expect(await keyStore.names('sealing/')).toHaveLength(3);
  await keys.deleteExpired({ nowMs: forgottenMs + 1, syncedMs: 0 }, []);
  expect(await keyStore.names('sealing/')).toHaveLength(2);
  expect(keys.wasSilent(at(1.5))).toBe(false);
  await keys.deleteExpired({ nowMs: at(1000), syncedMs: 0 }, []);
  expect(await keyStore.names('sealing/')).toHaveLength(1);
  expect(keys.newest?.notAfterMs).toBe(at(3));
  const before = await keyStore.get((await keyStore.names('sealing/'))[0] as string);
  await keys.deleteExpired({ nowMs: at(1001), syncedMs: 0 }, []);
  expect(await keyStore.get((await keyStore.names('sealing/'))[0] as string)).toEqual(before);
});

test('who has published nothing that anybody knows of was silent', async () => {
  const { open } = await made();
  const keys = await open();
  await keys.add(at(0));
  expect(keys.wasSilent(at(1.5))).toBe(true);
  await keys.confirm(keys.unpublished as Uint8Array);
  expect(keys.wasSilent(at(1.5))).toBe(false);
});

test('what is stored as a sealing key and is none is refused', async () => {
  for (const value of [
    [2, new Uint8Array(8), null, true],
    [1, 'text', null, true],
    [1, new Uint8Array(8), null, 1],
    'none',
  ]) {
    const { open, keyStore } = await made();
    await keyStore.write([{ name: 'sealing/0000000000000001', value: encodeCbor(value as never) }]);
    await expect(open()).rejects.toMatchObject({ code: 'store-damaged' });
  }
});

test('the first secret stays for a box that may still come, while those after it go', async () => {
  const { open, keyStore } = await made();
  const keys = await open();
  for (const block of [0, 1, 2]) await publish(keys, at(block));
  const missing = [{ createdMs: at(-0.5), blockEndMs: at(0) }];
  await keys.deleteExpired({ nowMs: at(3), syncedMs: at(3) }, missing);
  expect((await loadIdentity(keyStore))?.identity.sealingSeed).not.toBeNull();
  expect(publicKeysOf(keys, at(-0.5))).toHaveLength(1);
  expect(publicKeysOf(keys, at(0.5))).toHaveLength(1);
});

test('the newest record outlives everything, also when its secret goes late; and nothing is written for nothing', async () => {
  const { open, failNext } = await made();
  const keys = await open();
  await publish(keys, at(0));
  await keys.deleteExpired({ nowMs: at(1000), syncedMs: 0 }, []);
  expect(keys.newest?.notAfterMs).toBe(at(1));
  expect(keys.hasNewest).toBe(false);
  failNext('before');
  await keys.deleteExpired({ nowMs: at(1001), syncedMs: 0 }, []);
  await expect(keys.add(at(1001))).rejects.toThrow('crash');
});

test('keys are in the order of their times, whatever the numbers look like', async () => {
  const { open } = await made();
  const keys = await open();
  for (const fromMs of [999, 10_000]) await publish(keys, fromMs);
  expect((await open()).newest?.notBeforeMs).toBe(10_000);
});

test('seals its own epochs to the key in force, so that none of its secrets opens anything from before it began', async () => {
  const { open } = await made();
  const keys = await open();
  await publish(keys, at(0));
  await keys.add(at(1));
  const startOf = (nowMs: number) => keys.ownAt(nowMs)?.notBeforeMs;
  expect([startOf(at(0.5)), startOf(at(1))]).toEqual([at(0), at(1)]);
  // None in force: the newest, as after a clock that was fast has lost the secret of the one that is.
  expect(startOf(at(2.5))).toBe(at(1));
  await keys.deleteExpired({ nowMs: at(3), syncedMs: at(3) }, []);
  expect(startOf(at(0.5))).toBe(at(1));
});
