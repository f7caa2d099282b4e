import { expect, test } from 'vitest';
import { asciiBytes, equalBytes, memoryKeyStore } from '@keytide/crypto-core';
import { arePreKeysDue, forgetSessions, preparePreKeys, sessionPeers } from '@keytide/crypto-core/libsignal';
import { codeOfAsync } from './code-of.ts';
import { channelBetween, makePair, START_MS } from './libsignal-world.ts';
import { keepNothing, makePeer } from './pairwise-world.ts';

const DAY_MS = 86_400_000;
const text = asciiBytes;
const all = { isActive: () => true, isKept: () => true, usedSinceMs: 0 };

/** Two devices after three messages, the last of which has not come. */
async function talking() {
  const world = await makePair(makePeer('alice'), makePeer('bob'));
  const { fromAlice, fromBob } = world;
  await fromBob.open(await fromAlice.seal(text('a'), keepNothing), keepNothing);
  await fromAlice.open(await fromBob.seal(text('b'), keepNothing), keepNothing);
  return { ...world, late: await fromAlice.seal(text('late'), keepNothing) };
}

test('what is all kept stays, and the conversation goes on', async () => {
  const { alice, bob, fromAlice, fromBob, late } = await talking();
  for (const { endpoint } of [alice, bob]) await forgetSessions(endpoint, all);
  expect(await fromBob.open(late, keepNothing)).toEqual(text('late'));
  expect(await fromBob.open(await fromAlice.seal(text('d'), keepNothing), keepNothing)).toEqual(text('d'));
  expect(await sessionPeers(alice.endpoint)).toEqual([bob.id]);
});

test('a plaintext that is over is deleted, and not sent again; another is', async () => {
  const { alice, bob, fromAlice, fromBob, late } = await talking();
  expect(await alice.store.names('libsignal/sent/')).toHaveLength(2);
  await forgetSessions(alice.endpoint, { ...all, isKept: (sent) => equalBytes(sent, text('late')) });
  expect(await alice.store.names('libsignal/sent/')).toHaveLength(1);
  // Bob has lost all, and asks for what he cannot open.
  for (const name of await bob.store.names('libsignal/')) await bob.store.write([{ name, value: null }]);
  expect(await codeOfAsync(() => fromBob.open(late, keepNothing))).toBe('session-lost');
  await forgetSessions(alice.endpoint, { ...all, isKept: () => false });
  const notice = (await fromBob.sealNotice(keepNothing)) as Uint8Array;
  expect(await fromAlice.openNotice(notice, keepNothing)).toEqual([]);
  expect(await alice.store.names('libsignal/sent/')).toEqual([]);
});

test('a session that was not used for so long is gone with its keys, and another takes its place', async () => {
  const { bob, shelf, clock, fromAlice, fromBob, late } = await talking();
  await forgetSessions(bob.endpoint, { ...all, usedSinceMs: START_MS });
  expect(await bob.store.names('libsignal/session/')).toHaveLength(1);
  await forgetSessions(bob.endpoint, { ...all, usedSinceMs: START_MS + 1 });
  expect(await bob.store.names('libsignal/session/')).toEqual([]);
  expect(await codeOfAsync(() => fromBob.open(late, keepNothing))).toBe('session-lost');
  clock.nowMs += DAY_MS;
  await shelf.publish(bob, clock.nowMs);
  const notice = (await fromBob.sealNotice(keepNothing)) as Uint8Array;
  const [again] = (await fromAlice.openNotice(notice, keepNothing)) as [Uint8Array];
  expect(await fromBob.open(again, keepNothing)).toEqual(text('late'));
});

test('of a peer that is gone nothing is left', async () => {
  const { alice, bob } = await talking();
  await forgetSessions(alice.endpoint, { ...all, isActive: (peer) => peer !== bob.id });
  const names = await alice.store.names('libsignal/');
  expect(names.filter((name) => name.includes(bob.id))).toEqual([]);
  expect(await sessionPeers(alice.endpoint)).toEqual([]);
});

test('pre-keys are due before the first, when few are left, after a week, and after a start was lost', async () => {
  const { endpoint, store } = makePeer('alice');
  expect(await arePreKeysDue(endpoint, 32, START_MS)).toBe(true);
  await preparePreKeys(endpoint, 0, START_MS);
  expect(await arePreKeysDue(endpoint, 8, START_MS + 7 * DAY_MS - 1)).toBe(false);
  expect(await arePreKeysDue(endpoint, 7, START_MS)).toBe(true);
  expect(await arePreKeysDue(endpoint, 8, START_MS + 7 * DAY_MS)).toBe(true);
  await store.write([{ name: 'libsignal/renewal', value: new Uint8Array(0) }]);
  expect(await arePreKeysDue(endpoint, 8, START_MS)).toBe(true);
});

test.each([true, false])(
  'what started from the last resort is opened by nobody once it is over; with newer keys: %s',
  async (isReplaced) => {
    const { alice, bob, shelf, clock, fromAlice, fromBob } = await makePair(
      makePeer('alice'),
      makePeer('bob'),
    );
    // The relay keeps the pairs back, and a copy of what is sent.
    shelf.oneTime.set(bob.id, []);
    const taped = await fromAlice.seal(text('a'), keepNothing);
    await fromBob.open(taped, keepNothing);
    /** Who has bob's disk, and leaves out what would tell him that it was opened before. */
    const thief = async (): Promise<Uint8Array> => {
      const store = memoryKeyStore();
      for (const name of await bob.store.names('libsignal/'))
        if (!/session|kyber-use|libsignal\/peer/.test(name))
          await store.write([{ name, value: await bob.store.get(name) }]);
      return await channelBetween(bob.restart(store), alice, shelf, clock).open(taped, keepNothing);
    };
    const overMs = START_MS + 7 * DAY_MS;
    if (isReplaced) await shelf.publish(bob, overMs);
    await forgetSessions(bob.endpoint, { ...all, usedSinceMs: overMs });
    expect(await thief()).toEqual(text('a'));
    await forgetSessions(bob.endpoint, { ...all, usedSinceMs: overMs + 1 });
    expect(await codeOfAsync(thief)).toBe('session-lost');
    expect(await bob.store.names('libsignal/kyber-use/')).toEqual([]);
    // Where none is left, a new one is due.
    expect(await arePreKeysDue(bob.endpoint, 32, overMs)).toBe(!isReplaced);
  },
);
