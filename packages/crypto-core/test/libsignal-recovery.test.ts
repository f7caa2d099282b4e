import { describe, expect, test } from 'vitest';
import { asciiBytes, encodeCbor, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { preparePreKeys, type SignalChannel } from '@keytide/crypto-core/libsignal';
import { sealBoxMessage } from '../src/pairwise/box-message.ts';
import { codeOfAsync } from './code-of.ts';
import { channelBetween, makePair, type Clock, type PreKeyShelf } from './libsignal-world.ts';
import { copyStore, keepNothing, makePeer, type TestPeer } from './pairwise-world.ts';

const MINUTE_MS = 60_000;
const text = asciiBytes;

/** Two devices in the middle of a conversation. */
async function talking() {
  const world = await makePair(makePeer('alice'), makePeer('bob'));
  const { fromAlice, fromBob } = world;
  await fromBob.open(await fromAlice.seal(text('a'), keepNothing), keepNothing);
  await fromAlice.open(await fromBob.seal(text('b'), keepNothing), keepNothing);
  return world;
}

/** The device went on, and is then put back to what its store was. */
function restored(peer: TestPeer, store: KeyStore, other: TestPeer, shelf: PreKeyShelf, clock: Clock) {
  return channelBetween(peer.restart(store), other, shelf, clock);
}

const openCode = (channel: SignalChannel, wire: Uint8Array) =>
  codeOfAsync(() => channel.open(wire, keepNothing));

async function noticeOf(channel: SignalChannel): Promise<Uint8Array> {
  const notice = await channel.sealNotice(keepNothing);
  if (notice === null) throw new Error('nothing to say');
  return notice;
}

/** Has the lost messages sent again, and opens them. */
async function repaired(receiver: SignalChannel, sender: SignalChannel): Promise<Uint8Array[]> {
  const again = await sender.openNotice(await noticeOf(receiver), keepNothing);
  const opened: Uint8Array[] = [];
  for (const wire of again) opened.push(await receiver.open(wire, keepNothing));
  return opened;
}

describe('a lost session', () => {
  test('the receiver has no session left: the code says so, and the message comes again, once', async () => {
    const { alice, bob, clock, fromAlice, fromBob } = await talking();
    await bob.store.write([{ name: `libsignal/session/${alice.id}`, value: null }]);
    const wire = await fromAlice.seal(text('lost'), keepNothing);
    expect(await openCode(fromBob, wire)).toBe('session-lost');
    const again = await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    expect(again.length).toBe(1);
    expect(await fromBob.open(again[0] as Uint8Array, keepNothing)).toEqual(text('lost'));
    expect(await openCode(fromBob, again[0] as Uint8Array)).toBe('replayed');
    // Then it is confirmed, and not asked for any more.
    clock.nowMs += 24 * 60 * MINUTE_MS;
    expect(await fromAlice.openNotice(await noticeOf(fromBob), keepNothing)).toEqual([]);
    expect(await alice.store.names('libsignal/sent/')).toEqual([]);
    clock.nowMs += 24 * 60 * MINUTE_MS;
    expect(await fromBob.sealNotice(keepNothing)).toBeNull();
    expect(await openCode(fromBob, wire)).toBe('session-lost');
    for (const [from, to] of [
      [fromAlice, fromBob],
      [fromBob, fromAlice],
    ] as const)
      expect(await to.open(await from.seal(text('on'), keepNothing), keepNothing)).toEqual(text('on'));
  });
  test('the receiver lost everything that libsignal kept, its identity too', async () => {
    const { bob, shelf, clock, fromAlice, fromBob } = await talking();
    const names = await bob.store.names('libsignal/');
    await bob.store.write(names.map((name) => ({ name, value: null })));
    clock.nowMs += MINUTE_MS;
    await shelf.publish(bob, clock.nowMs);
    const wires = [
      await fromAlice.seal(text('1'), keepNothing),
      await fromAlice.seal(text('2'), keepNothing),
    ];
    for (const wire of wires) expect(await openCode(fromBob, wire)).toBe('session-lost');
    expect(await repaired(fromBob, fromAlice)).toEqual([text('1'), text('2')]);
    expect(await fromAlice.open(await fromBob.seal(text('on'), keepNothing), keepNothing)).toEqual(
      text('on'),
    );
  });
  test('the receiver went back to an older store: what it had is not delivered to it twice, what it lacks is', async () => {
    const { alice, bob, shelf, clock, fromAlice, fromBob } = await talking();
    const older = await copyStore(bob.store);
    // Three turns of the ratchet that the older store knows nothing of.
    for (let turn = 0; turn < 3; turn += 1) {
      await fromBob.open(await fromAlice.seal(text('x'), keepNothing), keepNothing);
      await fromAlice.open(await fromBob.seal(text('y'), keepNothing), keepNothing);
    }
    await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    const back = restored(bob, older, alice, shelf, clock);
    const wire = await fromAlice.seal(text('lost'), keepNothing);
    expect(await openCode(back, wire)).toBe('session-lost');
    // What it sends from now on is in a session that the other has.
    expect(await fromAlice.open(await back.seal(text('z'), keepNothing), keepNothing)).toEqual(text('z'));
    expect(await repaired(back, fromAlice)).toEqual([text('lost')]);
    expect(await fromAlice.open(await back.seal(text('on'), keepNothing), keepNothing)).toEqual(text('on'));
  });
  test('the receiver went back to before its last pre-keys: they are replaced, and the message comes again', async () => {
    const { alice, bob, shelf, clock } = await makePair(makePeer('alice'), makePeer('bob'));
    const older = await copyStore(bob.store);
    shelf.oneTime.set(bob.id, []);
    await shelf.publish(bob);
    const back = bob.restart(older);
    const fromAlice = channelBetween(alice, bob, shelf, clock);
    const fromBob = channelBetween(back, alice, shelf, clock);
    expect(await openCode(fromBob, await fromAlice.seal(text('lost'), keepNothing))).toBe('session-lost');
    expect((await preparePreKeys(back.endpoint, 31, clock.nowMs)).replacesAll).toBe(true);
    expect((await preparePreKeys(back.endpoint, 31, clock.nowMs)).replacesAll).toBe(false);
    shelf.oneTime.set(bob.id, []);
    await shelf.publish(back);
    expect(await repaired(fromBob, fromAlice)).toEqual([text('lost')]);
  });
  test('what is lost before the first pre-keys are published does not keep old ones at the relay', async () => {
    const { bob, shelf, clock, fromAlice, fromBob } = await talking();
    const names = await bob.store.names('libsignal/');
    await bob.store.write(names.map((name) => ({ name, value: null })));
    expect(await openCode(fromBob, await fromAlice.seal(text('lost'), keepNothing))).toBe('session-lost');
    clock.nowMs += 1;
    await shelf.publish(bob, clock.nowMs);
    expect(await repaired(fromBob, fromAlice)).toEqual([text('lost')]);
  });
  test('the sender went back to an older store: the key it uses again is refused, and its message comes again', async () => {
    const { alice, bob, shelf, clock, fromAlice, fromBob } = await talking();
    const older = await copyStore(alice.store);
    expect(await fromBob.open(await fromAlice.seal(text('before'), keepNothing), keepNothing)).toEqual(
      text('before'),
    );
    const back = restored(alice, older, bob, shelf, clock);
    const wire = await back.seal(text('after'), keepNothing);
    expect(await openCode(fromBob, wire)).toBe('replayed');
    expect(await repaired(fromBob, back)).toEqual([text('after')]);
  });
  test('the sender has no session left: it starts another', async () => {
    const { alice, bob, fromAlice, fromBob } = await talking();
    await alice.store.write([{ name: `libsignal/session/${bob.id}`, value: null }]);
    expect(await fromBob.open(await fromAlice.seal(text('on'), keepNothing), keepNothing)).toEqual(
      text('on'),
    );
  });
  test('a message that is sent again and lost again comes a third time, and is opened once', async () => {
    const { alice, bob, clock, fromAlice, fromBob } = await talking();
    const loseSession = () => bob.store.write([{ name: `libsignal/session/${alice.id}`, value: null }]);
    await loseSession();
    expect(await openCode(fromBob, await fromAlice.seal(text('lost'), keepNothing))).toBe('session-lost');
    // The second one never arrives; the third does, and then the second.
    const [second] = await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    expect(await fromBob.sealNotice(keepNothing)).toBeNull();
    clock.nowMs += MINUTE_MS;
    const [third] = await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    expect(await fromBob.open(third as Uint8Array, keepNothing)).toEqual(text('lost'));
    expect(await openCode(fromBob, second as Uint8Array)).toBe('replayed');
    expect(await fromBob.open(await fromAlice.seal(text('on'), keepNothing), keepNothing)).toEqual(
      text('on'),
    );
  });
});

describe('notices', () => {
  /** Bob without his session, and one of Alice's messages that he cannot open. */
  async function lostOne() {
    const world = await talking();
    const { alice, bob, fromAlice, fromBob } = world;
    await bob.store.write([{ name: `libsignal/session/${alice.id}`, value: null }]);
    const wire = await fromAlice.seal(text('lost'), keepNothing);
    expect(await openCode(fromBob, wire)).toBe('session-lost');
    return { ...world, wire };
  }

  test('there is none when there is nothing to say', async () => {
    const { fromAlice, fromBob } = await makePair(makePeer('alice'), makePeer('bob'));
    expect(await fromBob.sealNotice(keepNothing)).toBeNull();
    await fromBob.open(await fromAlice.seal(text('a'), keepNothing), keepNothing);
    expect(await fromBob.sealNotice(keepNothing)).not.toBeNull();
    expect(await fromBob.sealNotice(keepNothing)).toBeNull();
  });
  test('what came through is forgotten by the sender, and the session goes on', async () => {
    const { alice, bob, fromAlice, fromBob } = await talking();
    const sent = () => alice.store.names(`libsignal/sent/${bob.id}/`);
    const session = () => alice.store.get(`libsignal/session/${bob.id}`);
    expect((await sent()).length).toBe(1);
    const before = await session();
    expect(await fromAlice.openNotice(await noticeOf(fromBob), keepNothing)).toEqual([]);
    expect(await sent()).toEqual([]);
    expect(await session()).toEqual(before);
  });
  test('an altered, foreign or repeated notice changes nothing', async () => {
    const { alice, bob, shelf, fromAlice, fromBob } = await lostOne();
    const notice = await noticeOf(fromBob);
    const session = () => alice.store.get(`libsignal/session/${bob.id}`);
    const before = await session();
    const open = (wire: Uint8Array) => codeOfAsync(() => fromAlice.openNotice(wire, keepNothing));
    for (let at = 2; at < notice.length; at += 1) {
      const altered = notice.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(await open(altered)).toBe('decryption-failed');
    }
    const { random, org } = alice.endpoint;
    const mallory = makePeer('mallory');
    const input = {
      primitives,
      random,
      peer: alice,
      kind: 'notice' as const,
      pair: { org, sender: bob.id, recipient: alice.id },
    };
    const content = encodeCbor([1, [], []]);
    expect(await open(sealBoxMessage({ ...input, signer: mallory.signer }, content))).toBe('bad-signature');
    const toMallory = channelBetween(alice, mallory, shelf);
    expect(await codeOfAsync(() => toMallory.openNotice(notice, keepNothing))).toBe('decryption-failed');
    expect(await open(await fromBob.seal(text('no notice'), keepNothing))).toBe('wrong-context');
    expect(await openCode(fromAlice, notice)).toBe('wrong-context');
    expect(await session()).toEqual(before);
    expect(await open(notice)).toBeNull();
    expect(await open(notice)).toBe('replayed');
    expect(await open(sealBoxMessage({ ...input, signer: bob.signer }, content))).toBeNull();
  });
  test('nothing that was confirmed, or never sent, makes a session start anew', async () => {
    const { alice, bob, fromAlice, fromBob } = await talking();
    const confirmed = await fromAlice.seal(text('confirmed'), keepNothing);
    await fromBob.open(confirmed, keepNothing);
    await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    const { random, org } = alice.endpoint;
    const session = () => alice.store.get(`libsignal/session/${bob.id}`);
    const before = await session();
    const notice = sealBoxMessage(
      {
        primitives,
        random,
        signer: bob.signer,
        peer: alice,
        kind: 'notice',
        pair: { org, sender: bob.id, recipient: alice.id },
      },
      encodeCbor([1, [], [random(32), primitives.sha256(confirmed)]]),
    );
    expect(await fromAlice.openNotice(notice, keepNothing)).toEqual([]);
    expect(await session()).toEqual(before);
  });
  test('the receiver asks less and less often, and gives up', async () => {
    const { clock, fromBob } = await lostOne();
    const waits: number[] = [];
    let waited = 0;
    for (let minute = 0; minute < 60 * 24 * 4; minute += 1) {
      if ((await fromBob.sealNotice(keepNothing)) !== null) {
        waits.push(waited);
        waited = 0;
      }
      clock.nowMs += MINUTE_MS;
      waited += 1;
    }
    expect(waits).toEqual([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
  });
  test('the sender does not start anew twice in a short time, and does later', async () => {
    const { alice, bob, clock, fromAlice, fromBob, wire } = await lostOne();
    await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    const { random, org } = alice.endpoint;
    const pair = { org, sender: bob.id, recipient: alice.id };
    const content = encodeCbor([1, [], [primitives.sha256(wire)]]);
    const second = sealBoxMessage(
      { primitives, random, signer: bob.signer, peer: alice, kind: 'notice', pair },
      content,
    );
    expect(await codeOfAsync(() => fromAlice.openNotice(second, keepNothing))).toBe('reset-limited');
    clock.nowMs += MINUTE_MS / 2;
    expect((await fromAlice.openNotice(second, keepNothing)).length).toBe(1);
  });
  test('the more is asked for again, the longer it takes', async () => {
    const { alice, bob, clock, fromAlice, fromBob, wire } = await lostOne();
    await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    const wires = [
      wire,
      await fromAlice.seal(text('b'), keepNothing),
      await fromAlice.seal(text('c'), keepNothing),
    ];
    const { random, org } = alice.endpoint;
    const pair = { org, sender: bob.id, recipient: alice.id };
    const greedy = sealBoxMessage(
      { primitives, random, signer: bob.signer, peer: alice, kind: 'notice', pair },
      encodeCbor([1, [], wires.map((each) => primitives.sha256(each))]),
    );
    clock.nowMs += (3 * MINUTE_MS) / 2 - 1;
    expect(await codeOfAsync(() => fromAlice.openNotice(greedy, keepNothing))).toBe('reset-limited');
    clock.nowMs += 1;
    expect((await fromAlice.openNotice(greedy, keepNothing)).length).toBe(3);
  });
  test('the plaintexts of the last 64 messages are kept, and no more', async () => {
    const { alice, bob, fromAlice, fromBob } = await talking();
    await bob.store.write([{ name: `libsignal/session/${alice.id}`, value: null }]);
    const wires: Uint8Array[] = [];
    for (let i = 0; i < 70; i += 1) wires.push(await fromAlice.seal(text(`m${i}`), keepNothing));
    expect((await alice.store.names('libsignal/sent/')).length).toBe(64);
    for (const wire of wires) expect(await openCode(fromBob, wire)).toBe('session-lost');
    const opened = await repaired(fromBob, fromAlice);
    expect(opened).toEqual(Array.from({ length: 64 }, (_, i) => text(`m${i + 6}`)));
  });
  test('a message that came through and is asked for all the same is not opened twice', async () => {
    const { alice, bob, fromAlice, fromBob } = await talking();
    const wire = await fromAlice.seal(text('once'), keepNothing);
    await fromBob.open(wire, keepNothing);
    const { random, org } = alice.endpoint;
    const pair = { org, sender: bob.id, recipient: alice.id };
    const content = encodeCbor([1, [], [primitives.sha256(wire)]]);
    const notice = sealBoxMessage(
      { primitives, random, signer: bob.signer, peer: alice, kind: 'notice', pair },
      content,
    );
    const [again] = await fromAlice.openNotice(notice, keepNothing);
    expect(await openCode(fromBob, again as Uint8Array)).toBe('replayed');
    // What comes after it in the fresh session is opened.
    expect(await fromBob.open(await fromAlice.seal(text('on'), keepNothing), keepNothing)).toEqual(
      text('on'),
    );
  });
  test('nor is one that was opened before many older ones', async () => {
    const { alice, bob, fromAlice, fromBob } = await talking();
    const wires: Uint8Array[] = [];
    for (let i = 0; i < 70; i += 1) wires.push(await fromAlice.seal(text(`m${i}`), keepNothing));
    const newest = wires.pop() as Uint8Array;
    for (const wire of [newest, ...wires]) await fromBob.open(wire, keepNothing);
    const { random, org } = alice.endpoint;
    const pair = { org, sender: bob.id, recipient: alice.id };
    const content = encodeCbor([1, [], [primitives.sha256(newest)]]);
    const notice = sealBoxMessage(
      { primitives, random, signer: bob.signer, peer: alice, kind: 'notice', pair },
      content,
    );
    const [again] = await fromAlice.openNotice(notice, keepNothing);
    expect(await openCode(fromBob, again as Uint8Array)).toBe('replayed');
  });
  test('nor one whose confirmation the relay withholds, and which it repeats when the receiver has forgotten it', async () => {
    const { alice, clock, fromAlice, fromBob } = await talking();
    await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    const once = await fromAlice.seal(text('once'), keepNothing);
    await fromBob.open(once, keepNothing);
    await noticeOf(fromBob); // withheld
    for (let i = 0; i < 64; i += 1) {
      expect((await alice.store.names('libsignal/sent/')).length).toBe(1);
      await fromBob.open(await fromAlice.seal(text(`m${i}`), keepNothing), keepNothing);
      await fromAlice.openNotice(await noticeOf(fromBob), keepNothing);
    }
    // The plaintext does not wait for ever for a confirmation either.
    expect(await alice.store.names('libsignal/sent/')).toEqual([]);
    expect(await openCode(fromBob, once)).toBe('replayed');
    clock.nowMs += MINUTE_MS;
    expect(await fromAlice.openNotice(await noticeOf(fromBob), keepNothing)).toEqual([]);
  });
  test('nor one that was sent again and is held back until the receiver has forgotten the first', async () => {
    const { fromAlice, fromBob, alice, bob } = await talking();
    const once = await fromAlice.seal(text('once'), keepNothing);
    await fromBob.open(once, keepNothing);
    const { random, org } = alice.endpoint;
    const pair = { org, sender: bob.id, recipient: alice.id };
    const content = encodeCbor([1, [], [primitives.sha256(once)]]);
    const notice = sealBoxMessage(
      { primitives, random, signer: bob.signer, peer: alice, kind: 'notice', pair },
      content,
    );
    const [again] = await fromAlice.openNotice(notice, keepNothing);
    for (let i = 0; i < 64; i += 1)
      await fromBob.open(await fromAlice.seal(text(`m${i}`), keepNothing), keepNothing);
    expect(await openCode(fromBob, again as Uint8Array)).toBe('replayed');
  });
  test('a message that comes late for the first time is opened, however late', async () => {
    const { fromAlice, fromBob } = await talking();
    const late = await fromAlice.seal(text('late'), keepNothing);
    for (let i = 0; i < 70; i += 1)
      await fromBob.open(await fromAlice.seal(text(`m${i}`), keepNothing), keepNothing);
    expect(await fromBob.open(late, keepNothing)).toEqual(text('late'));
  });
});
