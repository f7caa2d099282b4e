import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { asciiBytes, boxChannel, concatBytes, MAX_PAIRWISE_BYTES } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { sealBoxMessage } from '../src/pairwise/box-message.ts';
import { signSessionMessage, verifySessionMessage } from '../src/libsignal/session-wire.ts';
import { codeOf, codeOfAsync } from './code-of.ts';
import { channelBetween, makePair, PreKeyShelf } from './libsignal-world.ts';
import { keepNothing, makePeer, orgOf } from './pairwise-world.ts';

const hello = asciiBytes('hello');
const makeTwo = () => makePair(makePeer('alice'), makePeer('bob'));

describe('session channel', () => {
  test('two devices talk, both ways, from a first message on', async () => {
    const { fromAlice, fromBob } = await makeTwo();
    for (const text of ['one', 'two', 'three'].map(asciiBytes)) {
      const wire = await fromAlice.seal(text, keepNothing);
      expect(await fromBob.open(wire, keepNothing)).toEqual(text);
      const answer = await fromBob.seal(text, keepNothing);
      expect(await fromAlice.open(answer, keepNothing)).toEqual(text);
    }
  });
  test('both may start at once', async () => {
    const { fromAlice, fromBob } = await makeTwo();
    const [first, second] = await Promise.all([
      fromAlice.seal(hello, keepNothing),
      fromBob.seal(hello, keepNothing),
    ]);
    expect(await fromBob.open(first, keepNothing)).toEqual(hello);
    expect(await fromAlice.open(second, keepNothing)).toEqual(hello);
    const third = await fromBob.seal(asciiBytes('third'), keepNothing);
    expect(await fromAlice.open(third, keepNothing)).toEqual(asciiBytes('third'));
  });
  test('from nothing to the largest, padded', async () => {
    const { fromAlice, fromBob } = await makeTwo();
    for (const sizeBytes of [0, 1, MAX_PAIRWISE_BYTES]) {
      const plaintext = new Uint8Array(sizeBytes).fill(7);
      expect(await fromBob.open(await fromAlice.seal(plaintext, keepNothing), keepNothing)).toEqual(
        plaintext,
      );
    }
    const tooLong = new Uint8Array(MAX_PAIRWISE_BYTES + 1);
    expect(await codeOfAsync(() => fromAlice.seal(tooLong, keepNothing))).toBe('too-large');
    const sizes = await Promise.all(
      [300, 301, 302].map(
        async (sizeBytes) => (await fromAlice.seal(new Uint8Array(sizeBytes), keepNothing)).length,
      ),
    );
    expect(new Set(sizes).size).toBe(1);
  });
  test('what the caller does to its bytes after the call changes nothing', async () => {
    const { fromAlice, fromBob } = await makeTwo();
    // A Buffer is a Uint8Array whose `slice` is a view.
    for (const passed of [(bytes: Uint8Array) => bytes, (bytes: Uint8Array) => Buffer.from(bytes)]) {
      const plaintext = passed(hello.slice());
      const sealing = fromAlice.seal(plaintext, keepNothing);
      plaintext.fill(0);
      const wire = passed(await sealing);
      const opening = fromBob.open(wire, keepNothing);
      wire.fill(0);
      expect(await opening).toEqual(hello);
    }
  });
  test('two endpoints on one store do not seal with one key', async () => {
    const { alice, bob, shelf, fromAlice, fromBob } = await makeTwo();
    await fromBob.open(await fromAlice.seal(hello, keepNothing), keepNothing);
    const twin = channelBetween(alice.restart(alice.store), bob, shelf);
    const wires = await Promise.all([fromAlice, twin].map((channel) => channel.seal(hello, keepNothing)));
    for (const wire of wires) expect(await fromBob.open(wire, keepNothing)).toEqual(hello);
  });
  test('of several openings at once one succeeds', async () => {
    const { fromAlice, fromBob } = await makeTwo();
    const wire = await fromAlice.seal(hello, keepNothing);
    const codes = [1, 2, 3].map(() => codeOfAsync(() => fromBob.open(wire, keepNothing)));
    expect(await Promise.all(codes)).toEqual([null, 'replayed', 'replayed']);
  });
  test('any altered byte, a shorter and a longer message are refused before libsignal sees them', async () => {
    const { fromAlice, fromBob, bob } = await makeTwo();
    const refused = new Set([
      'bad-signature',
      'malformed',
      'unsupported-version',
      'downgraded',
      'wrong-context',
    ]);
    for (const answered of [false, true]) {
      const wire = await fromAlice.seal(hello, keepNothing);
      const before = await bob.store.names('');
      for (let at = 0; at < wire.length; at += 1) {
        const altered = wire.map((byte, i) => (i === at ? byte ^ 1 : byte));
        expect(refused).toContain(await codeOfAsync(() => fromBob.open(altered, keepNothing)));
      }
      for (const altered of [wire.subarray(0, -1), concatBytes(wire, Uint8Array.of(0)), wire.subarray(0, 50)])
        expect(refused).toContain(await codeOfAsync(() => fromBob.open(altered, keepNothing)));
      expect(await bob.store.names('')).toEqual(before);
      expect(await fromBob.open(wire, keepNothing)).toEqual(hello);
      if (!answered) await fromAlice.open(await fromBob.seal(hello, keepNothing), keepNothing);
    }
  });
  test('a message of one kind is not one of another', async () => {
    const { alice, bob, fromAlice, fromBob } = await makeTwo();
    const relabelled = (wire: Uint8Array, kind: number) =>
      concatBytes(Uint8Array.of(1, kind), wire.subarray(2));
    const start = await fromAlice.seal(hello, keepNothing);
    expect(await codeOfAsync(() => fromBob.open(relabelled(start, 3), keepNothing))).toBe('bad-signature');
    await fromBob.open(start, keepNothing);
    await fromAlice.open(await fromBob.seal(hello, keepNothing), keepNothing);
    const later = await fromAlice.seal(hello, keepNothing);
    expect(await codeOfAsync(() => fromBob.open(relabelled(later, 4), keepNothing))).toBe('bad-signature');
    const { random, org } = alice.endpoint;
    const box = sealBoxMessage(
      {
        primitives,
        random,
        signer: alice.signer,
        peer: bob,
        kind: 'box',
        pair: { org, sender: alice.id, recipient: bob.id },
      },
      hello,
    );
    expect(await codeOfAsync(() => fromBob.openNotice(relabelled(box, 2), keepNothing))).toBe(
      'decryption-failed',
    );
  });
  test('a repeated message changes nothing', async () => {
    const { bob, fromAlice, fromBob } = await makeTwo();
    const wire = await fromAlice.seal(hello, keepNothing);
    await fromBob.open(wire, keepNothing);
    const values = async () => {
      const names = await bob.store.names('');
      return Promise.all(names.map(async (name) => [name, await bob.store.get(name)]));
    };
    const before = await values();
    expect(await codeOfAsync(() => fromBob.open(wire, keepNothing))).toBe('replayed');
    expect(await values()).toEqual(before);
  });
  test('another recipient, another sender and another organisation are refused', async () => {
    const { alice, bob, shelf, fromAlice, fromBob } = await makeTwo();
    const wire = await fromAlice.seal(hello, keepNothing);
    const carol = makePeer('carol');
    const openedBy = (own: typeof alice, peer: typeof alice) =>
      codeOfAsync(() => channelBetween(own, peer, shelf).open(wire, keepNothing));
    expect(await openedBy(carol, alice)).toBe('bad-signature');
    expect(await openedBy(bob, carol)).toBe('bad-signature');
    expect(await openedBy(makePeer('bob', 1, orgOf('other')), alice)).toBe('bad-signature');
    expect(await codeOfAsync(() => fromBob.open(wire, keepNothing))).toBeNull();
  });
  test("a device that passes on another's session message as its own is refused", async () => {
    const { alice, bob, shelf, fromAlice } = await makeTwo();
    const wire = await fromAlice.seal(hello, keepNothing);
    const { org } = alice.endpoint;
    const verifier = primitives.verifier(alice.signer.publicKey);
    const alices = { org, sender: alice.id, recipient: bob.id };
    const message = verifySessionMessage(primitives, verifier, alices, 'session-start', wire);
    const mallory = makePeer('mallory');
    const claimed = signSessionMessage(
      primitives,
      mallory.signer,
      { ...alices, sender: mallory.id },
      message,
    );
    const fromBob = channelBetween(bob, mallory, shelf);
    expect(await codeOfAsync(() => fromBob.open(claimed, keepNothing))).toBe('wrong-context');
  });
  test('what is kept goes into the batch that makes it durable, and a throw undoes all', async () => {
    const { alice, bob, fromAlice, fromBob } = await makeTwo();
    const wire = await fromAlice.seal(hello, (bytes) => [{ name: 'outbox', value: bytes }]);
    expect(await alice.store.get('outbox')).toEqual(wire);
    const before = await bob.store.names('');
    const failing = async () => {
      throw new Error('not a grant');
    };
    await expect(fromBob.open(wire, failing)).rejects.toThrow('not a grant');
    expect(await bob.store.names('')).toEqual(before);
    await fromBob.open(wire, async (bytes) => [{ name: 'inbox', value: bytes }]);
    expect(await bob.store.get('inbox')).toEqual(hello);
  });
});

describe('downgrade', () => {
  test('a box between devices that can hold sessions is refused, however authentic', async () => {
    const { alice, bob, fromBob } = await makeTwo();
    const { random, org } = alice.endpoint;
    const box = sealBoxMessage(
      {
        primitives,
        random,
        signer: alice.signer,
        peer: bob,
        kind: 'box',
        pair: { org, sender: alice.id, recipient: bob.id },
      },
      hello,
    );
    expect(await codeOfAsync(() => fromBob.open(box, keepNothing))).toBe('downgraded');
    expect(codeOf(() => boxChannel(alice.endpoint, bob))).toBe('downgraded');
  });
  test('no sessions with a device whose record has no such ability, nor from one', () => {
    const [alice, bob] = [makePeer('alice'), makePeer('bob', 0)];
    const shelf = new PreKeyShelf();
    expect(codeOf(() => channelBetween(alice, bob, shelf))).toBe('ability-missing');
    expect(codeOf(() => channelBetween(bob, alice, shelf))).toBe('ability-missing');
    expect(codeOf(() => channelBetween(alice, alice, shelf))).toBe('wrong-context');
  });
  test('a session message of a device without the ability is refused', async () => {
    const { fromAlice } = await makeTwo();
    const wire = await fromAlice.seal(hello, keepNothing);
    const fromBob = boxChannel(makePeer('bob').endpoint, makePeer('alice', 0));
    expect(await codeOfAsync(() => fromBob.open(wire, keepNothing))).toBe('ability-missing');
  });
});

describe('delivery', () => {
  const step = fc.oneof(
    fc.record({ act: fc.constant('send' as const), by: fc.nat(1), text: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ act: fc.constant('deliver' as const), which: fc.nat(1000) }),
    fc.record({ act: fc.constant('notice' as const), by: fc.nat(1) }),
  );
  test('lost, repeated and reordered both ways: each message at most once, and as it was sent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { fromAlice, fromBob } = await makeTwo();
        const channels = [fromAlice, fromBob] as const;
        const sent: { to: number; wire: Uint8Array; text: Uint8Array; opened: boolean }[] = [];
        const deliver = async (message: (typeof sent)[number]) => {
          const opening = (channels[message.to] as typeof fromBob).open(message.wire, keepNothing);
          if (message.opened) expect(await codeOfAsync(() => opening)).toBe('replayed');
          else expect(await opening).toEqual(message.text);
          message.opened = true;
        };
        for (const next of steps) {
          if (next.act === 'send') {
            const wire = await (channels[next.by] as typeof fromBob).seal(next.text, keepNothing);
            sent.push({ to: 1 - next.by, wire, text: next.text, opened: false });
          } else if (next.act === 'deliver') {
            if (sent.length > 0) await deliver(sent[next.which % sent.length] as (typeof sent)[number]);
          } else {
            const notice = await (channels[next.by] as typeof fromBob).sealNotice(keepNothing);
            const other = channels[1 - next.by] as typeof fromBob;
            if (notice !== null) expect(await other.openNotice(notice, keepNothing)).toEqual([]);
          }
        }
        // Whatever was held back still opens, the newest first.
        for (const message of sent.toReversed()) await deliver(message);
      }),
      { numRuns: 40, seed: 11 },
    );
  });
});
