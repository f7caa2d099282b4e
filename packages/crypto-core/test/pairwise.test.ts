import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import {
  asciiBytes,
  boxChannel,
  choosePairwise,
  concatBytes,
  forgetSeenMessages,
  MAX_PAIRWISE_BYTES,
  pairwiseEndpoint,
  parsePairwiseKind,
  sealingKeyId,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { sealBoxMessage } from '../src/pairwise/box-message.ts';
import { codeOf, codeOfAsync } from './code-of.ts';
import { keepNothing, makePeer, orgOf } from './pairwise-world.ts';

const pair = () => {
  const [alice, bob] = [makePeer('alice', 0), makePeer('bob', 1)];
  return {
    alice,
    bob,
    fromAlice: boxChannel(alice.endpoint, bob),
    fromBob: boxChannel(bob.endpoint, alice),
  };
};
const hello = asciiBytes('hello');

describe('who talks how', () => {
  test('sessions only where both signed records have the ability', () => {
    const record = (abilities: number) => ({ signingPublicKey: new Uint8Array(32), abilities });
    const chosen = (own: number, peer: number) => choosePairwise(record(own), record(peer));
    expect([chosen(0, 0), chosen(1, 0), chosen(0, 1), chosen(2, 3)]).toEqual(['box', 'box', 'box', 'box']);
    expect([chosen(1, 1), chosen(3, 5)]).toEqual(['session', 'session']);
  });
  test('no box channel where sessions are due, and none to itself', () => {
    const [alice, bob] = [makePeer('alice', 1), makePeer('bob', 1)];
    expect(codeOf(() => boxChannel(alice.endpoint, bob))).toBe('downgraded');
    const carol = makePeer('carol', 0);
    expect(codeOf(() => boxChannel(carol.endpoint, carol))).toBe('wrong-context');
  });
  test('an endpoint has the record of its own key', () => {
    const [alice, bob] = [makePeer('alice'), makePeer('bob')];
    const mixed = { ...alice.endpoint, record: bob.record };
    expect(codeOf(() => pairwiseEndpoint(mixed))).toBe('wrong-context');
  });
  test('a kind, a version and a length that are known', () => {
    const kinds = [1, 2, 3, 4].map((kind) => parsePairwiseKind(Uint8Array.of(1, kind)));
    expect(kinds).toEqual(['box', 'notice', 'session', 'session-start']);
    expect(codeOf(() => parsePairwiseKind(Uint8Array.of(1, 0)))).toBe('malformed');
    expect(codeOf(() => parsePairwiseKind(Uint8Array.of(1, 5)))).toBe('malformed');
    expect(codeOf(() => parsePairwiseKind(Uint8Array.of(1)))).toBe('malformed');
    expect(codeOf(() => parsePairwiseKind(Uint8Array.of(2, 1)))).toBe('unsupported-version');
    expect(codeOf(() => parsePairwiseKind(new Uint8Array(72 * 1024 + 1).fill(1)))).toBe('too-large');
  });
});

describe('box channel', () => {
  test('opens what the other device sealed, once', async () => {
    const { fromAlice, fromBob } = pair();
    const wire = await fromAlice.seal(hello, keepNothing);
    expect(await fromBob.open(wire, keepNothing)).toEqual(hello);
    expect(await codeOfAsync(() => fromBob.open(wire, keepNothing))).toBe('replayed');
  });
  test('of two openings at once one succeeds', async () => {
    const { fromAlice, fromBob } = pair();
    const wire = await fromAlice.seal(hello, keepNothing);
    const codes = [1, 2, 3].map(() => codeOfAsync(() => fromBob.open(wire, keepNothing)));
    expect(await Promise.all(codes)).toEqual([null, 'replayed', 'replayed']);
  });
  test('from nothing to the largest, padded', async () => {
    const { fromAlice, fromBob } = pair();
    for (const sizeBytes of [0, 1, MAX_PAIRWISE_BYTES]) {
      const plaintext = new Uint8Array(sizeBytes).fill(7);
      const wire = await fromAlice.seal(plaintext, keepNothing);
      expect(await fromBob.open(wire, keepNothing)).toEqual(plaintext);
    }
    const tooLong = new Uint8Array(MAX_PAIRWISE_BYTES + 1);
    expect(await codeOfAsync(() => fromAlice.seal(tooLong, keepNothing))).toBe('too-large');
    const sizes = await Promise.all(
      [301, 302, 303].map(
        async (sizeBytes) => (await fromAlice.seal(new Uint8Array(sizeBytes), keepNothing)).length,
      ),
    );
    expect(new Set(sizes).size).toBe(1);
  });
  test('any altered byte, a shorter and a longer message are refused', async () => {
    const { fromAlice, fromBob } = pair();
    const wire = await fromAlice.seal(hello, keepNothing);
    const refused = new Set(['decryption-failed', 'malformed', 'unsupported-version', 'ability-missing']);
    for (let at = 0; at < wire.length; at += 1) {
      const altered = wire.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(refused).toContain(await codeOfAsync(() => fromBob.open(altered, keepNothing)));
    }
    for (const altered of [wire.subarray(0, -1), concatBytes(wire, Uint8Array.of(0))])
      expect(refused).toContain(await codeOfAsync(() => fromBob.open(altered, keepNothing)));
    expect(await fromBob.open(wire, keepNothing)).toEqual(hello);
  });
  test('another recipient, another sender and another organisation are refused', async () => {
    const { alice, bob, fromAlice } = pair();
    const wire = await fromAlice.seal(hello, keepNothing);
    const [carol, dave] = [makePeer('carol', 0), makePeer('dave', 0)];
    const openedBy = (own: typeof alice, peer: typeof alice) =>
      codeOfAsync(() => boxChannel(own.endpoint, peer).open(wire, keepNothing));
    expect(await openedBy(carol, alice)).toBe('decryption-failed');
    expect(await openedBy(bob, dave)).toBe('decryption-failed');
    expect(await openedBy(makePeer('bob', 1, orgOf('other')), alice)).toBe('decryption-failed');
    expect(await openedBy(bob, alice)).toBeNull();
  });
  test('a device that seals in the name of another is refused', async () => {
    const { alice, bob, fromBob } = pair();
    const { random, org } = alice.endpoint;
    const forged = sealBoxMessage(
      {
        primitives,
        random,
        signer: makePeer('mallory').signer,
        peer: bob,
        kind: 'box',
        pair: { org, sender: alice.id, recipient: bob.id },
      },
      hello,
    );
    expect(await codeOfAsync(() => fromBob.open(forged, keepNothing))).toBe('bad-signature');
  });
  test('a session message is refused, because a device has no sessions', async () => {
    const { fromBob } = pair();
    for (const kind of [2, 3, 4]) {
      const wire = concatBytes(Uint8Array.of(1, kind), new Uint8Array(2000));
      expect(await codeOfAsync(() => fromBob.open(wire, keepNothing))).toBe('ability-missing');
    }
  });
  test('what is kept goes into the batch that makes it durable, and a throw undoes all', async () => {
    const { alice, bob, fromAlice, fromBob } = pair();
    const wire = await fromAlice.seal(hello, (bytes) => [{ name: 'outbox', value: bytes }]);
    expect(await alice.store.get('outbox')).toEqual(wire);
    const failing = () => {
      throw new Error('not a grant');
    };
    await expect(fromBob.open(wire, failing)).rejects.toThrow('not a grant');
    expect(await bob.store.names('')).toEqual([]);
    await fromBob.open(wire, (bytes) => [{ name: 'inbox', value: bytes }]);
    expect(await bob.store.get('inbox')).toEqual(hello);
    expect((await bob.store.names('')).length).toBe(2);
  });
  test('what was opened is forgotten with the sealing key, and not before', async () => {
    const { alice, bob, fromAlice, fromBob } = pair();
    await fromBob.open(await fromAlice.seal(hello, keepNothing), keepNothing);
    const keyId = sealingKeyId(primitives, bob.encapsulator.publicKey);
    const otherId = sealingKeyId(primitives, alice.encapsulator.publicKey);
    await bob.store.write([{ name: 'sealing', value: hello }]);
    const deletion = [{ name: 'sealing', value: null }];
    await forgetSeenMessages(bob.endpoint, otherId, []);
    expect(await codeOfAsync(() => forgetSeenMessages(bob.endpoint, keyId, deletion))).toBe('wrong-context');
    expect((await bob.store.names('')).length).toBe(2);
    await forgetSeenMessages({ ...bob.endpoint, sealingKey: () => null }, keyId, deletion);
    expect(await bob.store.names('')).toEqual([]);
  });
  test('a repetition that waits while its sealing key is deleted is not opened again', async () => {
    const { alice, bob } = pair();
    const keyId = sealingKeyId(primitives, bob.encapsulator.publicKey);
    let isDeleted = false;
    const endpoint = pairwiseEndpoint({
      ...bob.endpoint,
      sealingKey: (wanted) => (isDeleted ? null : bob.endpoint.sealingKey(wanted)),
    });
    const fromBob = boxChannel(endpoint, alice);
    const wire = await boxChannel(alice.endpoint, bob).seal(hello, keepNothing);
    await fromBob.open(wire, keepNothing);
    let release = (): void => undefined;
    const busy = new Promise<void>((resolve) => (release = resolve));
    const waiting = endpoint.inTurn(() => busy);
    const forgotten = forgetSeenMessages(endpoint, keyId, []);
    const repeated = codeOfAsync(() => fromBob.open(wire, keepNothing));
    isDeleted = true;
    release();
    await Promise.all([waiting, forgotten]);
    expect(await repeated).toBe('decryption-failed');
    expect(await bob.store.names('')).toEqual([]);
  });
  test('lost, repeated and reordered: each message at most once, and as it was sent', async () => {
    const arrivals = fc.array(fc.nat(9), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 10, maxLength: 10 }),
        arrivals,
        async (texts, order) => {
          const { fromAlice, fromBob } = pair();
          const wires: Uint8Array[] = [];
          for (const text of texts) wires.push(await fromAlice.seal(text, keepNothing));
          const seen = new Set<number>();
          for (const at of order) {
            const opening = fromBob.open(wires[at] as Uint8Array, keepNothing);
            if (seen.has(at)) expect(await codeOfAsync(() => opening)).toBe('replayed');
            else expect(await opening).toEqual(texts[at]);
            seen.add(at);
          }
        },
      ),
      { numRuns: 20, seed: 7 },
    );
  });
});
