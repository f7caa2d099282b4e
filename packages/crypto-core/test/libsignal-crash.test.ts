import { describe, expect, test } from 'vitest';
import {
  asciiBytes,
  boxChannel,
  CryptoError,
  toHex,
  type KeyStore,
  type PairwiseChannel,
} from '@keytide/crypto-core';
import { nodeRandom, openFileVault } from '@keytide/crypto-core/node';
import { preparePreKeys } from '@keytide/crypto-core/libsignal';
import { codeOfAsync } from './code-of.ts';
import { channelBetween, makePair, PreKeyShelf, START_MS } from './libsignal-world.ts';
import { makePeer, type TestPeer } from './pairwise-world.ts';
import { QUICK_KDF, vaultFolder } from './vault-folder.ts';

const TEXTS = ['one', 'two', 'three', 'four'];

class Crash extends Error {}

/** Ends the process at one write: before it is durable, or after and before anybody hears of it. */
function crashingStore(inner: KeyStore, plan: { left: number; applied: boolean }): KeyStore {
  return {
    ...inner,
    async write(batch) {
      plan.left -= 1;
      if (plan.left !== 0) return inner.write(batch);
      if (plan.applied) await inner.write(batch);
      throw new Crash();
    },
  };
}

type Channels = (own: TestPeer, other: TestPeer) => PairwiseChannel;

/** Runs an act until it gets through; the device starts again from its store after each crash. */
async function persist<T>(
  device: { peer: TestPeer },
  store: KeyStore,
  act: (peer: TestPeer) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      return await act(device.peer);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      device.peer = device.peer.restart(store);
    }
  }
  throw new Error('did not get through');
}

/** Seals each text once; a device that finds it in its outbox after a crash does not seal it again. */
async function sendAll(device: { peer: TestPeer }, store: KeyStore, other: TestPeer, channels: Channels) {
  for (const text of TEXTS)
    await persist(device, store, async (peer) => {
      if ((await store.get(`outbox/${text}`)) !== null) return;
      const keep = (wire: Uint8Array) => [{ name: `outbox/${text}`, value: wire }];
      await channels(peer, other).seal(asciiBytes(text), keep);
    });
}

/** Opens all that is in the sender's outbox, twice, as a relay delivers that was not answered. */
async function receiveAll(device: { peer: TestPeer }, store: KeyStore, sender: TestPeer, channels: Channels) {
  let opened = 0;
  for (const name of [...(await sender.store.names('outbox/')), ...(await sender.store.names('outbox/'))]) {
    const wire = (await sender.store.get(name)) as Uint8Array;
    await persist(device, store, async (peer) => {
      const code = await codeOfAsync(() =>
        channels(peer, sender).open(wire, (plaintext) => {
          opened += 1;
          return [{ name: `inbox/${toHex(plaintext)}/${opened}`, value: plaintext }];
        }),
      );
      expect([null, 'replayed']).toContain(code);
    });
  }
}

/** One conversation with a crash at one write of one device; gives the number of writes that device made. */
async function conversation(
  abilities: number,
  crashing: 'alice' | 'bob',
  at: number,
  applied: boolean,
): Promise<number> {
  const [alice, bob] = [makePeer('alice', abilities), makePeer('bob', abilities)];
  const shelf = new PreKeyShelf();
  if (abilities === 1) for (const peer of [alice, bob]) await shelf.publish(peer);
  const channels: Channels = (own, other) =>
    abilities === 1 ? channelBetween(own, other, shelf) : boxChannel(own.endpoint, other);
  const plan = { left: at, applied };
  const failing = (peer: TestPeer): TestPeer => peer.restart(crashingStore(peer.store, plan));
  const one = { peer: crashing === 'alice' ? failing(alice) : alice };
  const two = { peer: crashing === 'bob' ? failing(bob) : bob };
  await sendAll(one, alice.store, bob, channels);
  await receiveAll(two, bob.store, alice, channels);
  await sendAll(two, bob.store, alice, channels);
  await receiveAll(one, alice.store, bob, channels);
  for (const peer of [alice, bob]) {
    const inbox = await peer.store.names('inbox/');
    const texts = inbox.map((name) => name.split('/')[1]);
    expect(texts.toSorted()).toEqual(TEXTS.map((text) => toHex(asciiBytes(text))).toSorted());
  }
  return at - plan.left;
}

describe.each([
  ['boxes', 0],
  ['sessions', 1],
])('a crash with %s', (_name, abilities) => {
  test.each(['alice', 'bob'] as const)(
    'at each write of %s: no message is lost, none is opened twice, no key is used twice',
    async (crashing) => {
      const writes = await conversation(abilities, crashing, 1_000, false);
      expect(writes).toBeGreaterThanOrEqual(2 * TEXTS.length);
      for (let at = 1; at <= writes; at += 1)
        for (const applied of [false, true]) await conversation(abilities, crashing, at, applied);
    },
  );
});

describe.each([false, true])('a crash at the one write, durable: %s', (applied) => {
  test('of heeding a notice: what is sent again arrives once', async () => {
    const { alice, bob, shelf, fromAlice, fromBob } = await makePair(makePeer('alice'), makePeer('bob'));
    const wire = await fromAlice.seal(asciiBytes('lost'), () => []);
    const bundle = shelf.bundles.get(bob.id) as Uint8Array;
    await bob.store.write((await bob.store.names('')).map((name) => ({ name, value: null })));
    expect(await codeOfAsync(() => fromBob.open(wire, () => []))).toBe('session-lost');
    await shelf.publish(bob, START_MS + 1);
    expect(shelf.bundles.get(bob.id)).not.toEqual(bundle);
    const notice = (await fromBob.sealNotice(() => [])) as Uint8Array;

    const keep = (again: Uint8Array) => [{ name: 'outbox/again', value: again }];
    const failing = alice.restart(crashingStore(alice.store, { left: 1, applied }));
    await expect(channelBetween(failing, bob, shelf).openNotice(notice, keep)).rejects.toThrow(Crash);
    const back = channelBetween(alice.restart(alice.store), bob, shelf);
    expect(await codeOfAsync(() => back.openNotice(notice, keep))).toBe(applied ? 'replayed' : null);
    const again = (await alice.store.get('outbox/again')) as Uint8Array;
    expect(await fromBob.open(again, () => [])).toEqual(asciiBytes('lost'));
    expect(await codeOfAsync(() => fromBob.open(again, () => []))).toBe('replayed');
    const on = await back.seal(asciiBytes('on'), () => []);
    expect(await fromBob.open(on, () => [])).toEqual(asciiBytes('on'));
  });
  test('of preparing pre-keys: the next are whole, and no id is given twice', async () => {
    const bob = makePeer('bob');
    await preparePreKeys(bob.endpoint, 0, START_MS);
    const failing = bob.restart(crashingStore(bob.store, { left: 1, applied }));
    await expect(preparePreKeys(failing.endpoint, 0, START_MS)).rejects.toThrow(Crash);
    const ids = async () => (await bob.store.names('libsignal/pre-key/')).map((name) => name.slice(-10));
    const before = await ids();
    expect(before.length).toBe(applied ? 64 : 32);
    await preparePreKeys(bob.restart(bob.store).endpoint, 0, START_MS);
    const after = await ids();
    expect(after.length).toBe(before.length + 32);
    expect(after.slice(0, before.length)).toEqual(before);
  });
});

describe('what a device hands out', () => {
  test('is durable before: wire bytes, plaintext, notices and pre-keys come after the one write', async () => {
    const { alice, bob, fromAlice, fromBob, shelf } = await makePair(makePeer('alice'), makePeer('bob'));
    const writesOf = (peer: TestPeer) => {
      const log: string[][] = [];
      const store: KeyStore = {
        ...peer.store,
        async write(batch) {
          await peer.store.write(batch);
          log.push(batch.map(({ name }) => name));
        },
      };
      return { peer: peer.restart(store), log };
    };
    const [one, two] = [writesOf(alice), writesOf(bob)];
    const kept = (name: string) => (value: Uint8Array) => [{ name, value }];
    const wire = await channelBetween(one.peer, bob, shelf).seal(asciiBytes('hello'), kept('outbox'));
    expect(one.log.length).toBe(1);
    expect(one.log[0]).toContain(`libsignal/session/${bob.id}`);
    expect(one.log[0]).toContain('outbox');
    const receiving = channelBetween(two.peer, alice, shelf);
    await receiving.open(wire, kept('inbox'));
    expect(two.log.length).toBe(1);
    expect(two.log[0]).toContain(`libsignal/session/${alice.id}`);
    expect(two.log[0]?.filter((name) => name.includes('pre-key/')).length).toBe(2);
    expect(two.log[0]).toContain('inbox');
    const notice = (await receiving.sealNotice(kept('outbox'))) as Uint8Array;
    expect(two.log.length).toBe(2);
    await fromAlice.openNotice(notice, kept('outbox'));
    await preparePreKeys(two.peer.endpoint, 0, START_MS);
    expect(two.log.length).toBe(3);
    expect(await codeOfAsync(() => fromBob.open(wire, kept('inbox')))).toBe('replayed');
  });
  test('a store that cannot be read is no lost session', async () => {
    const { bob, alice, fromAlice, shelf } = await makePair(makePeer('alice'), makePeer('bob'));
    const wire = await fromAlice.seal(asciiBytes('hello'), () => []);
    for (const prefix of ['libsignal/session/', 'libsignal/pre-key/', 'libsignal/kyber-pre-key/']) {
      const store: KeyStore = {
        ...bob.store,
        get: async (name) => {
          if (name.startsWith(prefix)) throw new CryptoError('vault-damaged', 'a bad sector');
          return bob.store.get(name);
        },
      };
      const channel = channelBetween(bob.restart(store), alice, shelf);
      expect(await codeOfAsync(() => channel.open(wire, () => []))).toBe('vault-damaged');
    }
    expect(await bob.store.names('libsignal/peer/')).toEqual([]);
    expect(await codeOfAsync(() => channelBetween(bob, alice, shelf).open(wire, () => []))).toBeNull();
  });
});

describe('sessions in a file vault', async () => {
  const nextPath = await vaultFolder();
  test('go on after it is closed and opened again', async () => {
    const path = nextPath();
    const open = (create: boolean) =>
      openFileVault({ path, passphrase: 'p', create, random: nodeRandom, kdf: QUICK_KDF });
    const shelf = new PreKeyShelf();
    const bob = makePeer('bob');
    await shelf.publish(bob);
    const first = await open(true);
    const alice = makePeer('alice').restart(first);
    await shelf.publish(alice);
    const one = await channelBetween(alice, bob, shelf).seal(asciiBytes('one'), () => []);
    await first.close();
    const second = await open(false);
    const back = alice.restart(second);
    shelf.bundles.clear();
    const two = await channelBetween(back, bob, shelf).seal(asciiBytes('two'), () => []);
    const fromBob = channelBetween(bob, alice, shelf);
    expect(await fromBob.open(two, () => [])).toEqual(asciiBytes('two'));
    expect(await fromBob.open(one, () => [])).toEqual(asciiBytes('one'));
    await second.close();
  });
});
