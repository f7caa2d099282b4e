import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { asciiBytes, decodeCbor, encodeCbor, type CborValue } from '@keytide/crypto-core';
import { planPreKeys, preparePreKeys, type PreKeyStock } from '@keytide/crypto-core/libsignal';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createBundle, verifyBundle, verifyOneTimePreKey } from '../src/libsignal/bundle.ts';
import { codeOfAsync } from './code-of.ts';
import { channelBetween, makePair, PreKeyShelf, START_MS } from './libsignal-world.ts';
import { keepNothing, makePeer, orgOf, type TestPeer } from './pairwise-world.ts';

const DAY_MS = 86_400_000;
const hello = asciiBytes('hello');

const readBundle = (peer: TestPeer, wire: Uint8Array) =>
  verifyBundle(
    primitives,
    primitives.verifier(peer.signer.publicKey),
    { org: peer.endpoint.org, device: peer.id },
    wire,
  );
const readOneTime = (peer: TestPeer, wire: Uint8Array) =>
  verifyOneTimePreKey(
    primitives,
    primitives.verifier(peer.signer.publicKey),
    { org: peer.endpoint.org, device: peer.id },
    wire,
  );

describe('plan of pre-keys', () => {
  const empty: PreKeyStock = { nextId: 1, signed: [], oneTime: [] };

  test('at first everything, with ids from one counter', () => {
    const plan = planPreKeys(empty, 0, START_MS);
    expect(plan.signed).toBe(1);
    expect(plan.oneTime).toEqual(Array.from({ length: 32 }, (_, at) => at + 2));
    expect(plan.nextId).toBe(34);
  });
  test('nothing while enough is left and the newest are young', () => {
    const stock = { nextId: 34, signed: [{ id: 1, createdMs: START_MS }], oneTime: [2, 3] };
    const plan = planPreKeys(stock, 8, START_MS + 7 * DAY_MS - 1);
    expect(plan).toEqual({ signed: null, oneTime: [], forgetSigned: [], forgetOneTime: [], nextId: 34 });
  });
  test('below the threshold filled up, after a week rotated, after three months forgotten', () => {
    const signed = [
      { id: 1, createdMs: START_MS - 90 * DAY_MS },
      { id: 2, createdMs: START_MS - 90 * DAY_MS + 1 },
      { id: 3, createdMs: START_MS - 7 * DAY_MS },
    ];
    const plan = planPreKeys({ nextId: 100, signed, oneTime: [50] }, 7, START_MS);
    expect(plan.signed).toBe(100);
    expect(plan.oneTime.length).toBe(25);
    expect(plan.oneTime[0]).toBe(101);
    expect(plan.forgetSigned).toEqual([1]);
  });
  test('more than 96 one-time pairs are not kept: the oldest are forgotten', () => {
    const oneTime = Array.from({ length: 80 }, (_, at) => at + 1);
    const stock = { nextId: 100, signed: [{ id: 99, createdMs: START_MS }], oneTime };
    expect(planPreKeys(stock, 0, START_MS).forgetOneTime).toEqual(oneTime.slice(0, 16));
  });
  test('a relay that says no count gets what it gets for none', () => {
    for (const published of [-1, -Infinity, 2.5, Number.NaN])
      expect(planPreKeys(empty, published, START_MS)).toEqual(planPreKeys(empty, 0, START_MS));
  });
  test('never an id twice, and never more kept than allowed, whatever the relay says it has left', () => {
    const call = fc.record({
      published: fc.integer({ min: -5, max: 40 }),
      days: fc.nat(30),
      used: fc.nat(8),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 30 }), (calls) => {
        let stock = empty;
        let nowMs = START_MS;
        const given = new Set<number>();
        for (const { published, days, used } of calls) {
          nowMs += days * DAY_MS;
          const plan = planPreKeys({ ...stock, oneTime: stock.oneTime.slice(used) }, published, nowMs);
          const fresh = [...plan.oneTime, ...(plan.signed === null ? [] : [plan.signed])];
          for (const id of fresh) {
            expect(given.has(id)).toBe(false);
            given.add(id);
          }
          const oneTime = [...stock.oneTime.slice(used), ...plan.oneTime].filter(
            (id) => !plan.forgetOneTime.includes(id),
          );
          const kept = stock.signed.filter(({ id }) => !plan.forgetSigned.includes(id));
          const signed = plan.signed === null ? kept : [...kept, { id: plan.signed, createdMs: nowMs }];
          stock = { nextId: plan.nextId, signed, oneTime };
          expect(signed.length).toBeGreaterThan(0);
          expect(oneTime.length).toBeLessThanOrEqual(96);
          expect(plan.oneTime.length).toBeLessThanOrEqual(32);
        }
      }),
      { seed: 3 },
    );
  });
});

describe('published pre-keys', () => {
  test('are durable, signed, and refilled with other ids', async () => {
    const bob = makePeer('bob');
    const first = await preparePreKeys(bob.endpoint, 0, START_MS);
    const restarted = bob.restart(bob.store);
    const second = await preparePreKeys(restarted.endpoint, 0, START_MS + 8 * DAY_MS);
    const bundles = [first, second].map(({ bundle }) => readBundle(bob, bundle));
    const ids = [...first.oneTime, ...second.oneTime].map((wire) => readOneTime(bob, wire).id);
    expect(new Set([...ids, ...bundles.map(({ id }) => id)]).size).toBe(66);
    expect(bundles[1]?.identityKey).toEqual(bundles[0]?.identityKey);
    expect(bundles[1]?.createdMs).toBeGreaterThan(bundles[0]?.createdMs as number);
    expect((await bob.store.names('libsignal/pre-key/')).length).toBe(64);
  });
  test('a bundle made at once, or with the clock put back, is later all the same', async () => {
    const bob = makePeer('bob');
    const times: number[] = [];
    for (const nowMs of [START_MS, START_MS, START_MS - DAY_MS])
      times.push(readBundle(bob, (await preparePreKeys(bob.endpoint, 32, nowMs)).bundle).createdMs);
    expect(times).toEqual([START_MS, START_MS + 1, START_MS + 2]);
  });
  test('what is old enough is forgotten, with the record of its uses', async () => {
    const { alice, bob, shelf, clock } = await makePair(makePeer('alice'), makePeer('bob'));
    shelf.oneTime.set(bob.id, []);
    const wire = await channelBetween(alice, bob, shelf, clock).seal(hello, keepNothing);
    await channelBetween(bob, alice, shelf, clock).open(wire, keepNothing);
    expect((await bob.store.names('libsignal/kyber-use/')).length).toBe(1);
    await shelf.publish(bob, START_MS + 89 * DAY_MS);
    expect((await bob.store.names('libsignal/signed-pre-key/')).length).toBe(2);
    await shelf.publish(bob, START_MS + 90 * DAY_MS);
    expect((await bob.store.names('libsignal/signed-pre-key/')).length).toBe(1);
    expect((await bob.store.names('libsignal/kyber-use/')).length).toBe(0);
  });
  test('a one-time pair is deleted when it is used; without one, the last resort serves again and again', async () => {
    const bob = makePeer('bob');
    const shelf = new PreKeyShelf();
    await shelf.publish(bob);
    const lastResort = readBundle(bob, shelf.bundles.get(bob.id) as Uint8Array).id;
    const opened = async (name: string) => {
      const peer = makePeer(name);
      await shelf.publish(peer);
      const wire = await channelBetween(peer, bob, shelf).seal(hello, keepNothing);
      expect(await channelBetween(bob, peer, shelf).open(wire, keepNothing)).toEqual(hello);
      return [
        (await bob.store.names('libsignal/pre-key/')).length,
        (await bob.store.names('libsignal/kyber-pre-key/')).length,
        (await bob.store.names('libsignal/kyber-use/')).length,
      ];
    };
    expect(await opened('first')).toEqual([31, 32, 0]);
    shelf.oneTime.set(bob.id, []);
    expect(await opened('second')).toEqual([31, 32, 1]);
    expect(await opened('third')).toEqual([31, 32, 2]);
    const uses = await bob.store.names('libsignal/kyber-use/');
    expect(
      uses.every((name) => name.startsWith(`libsignal/kyber-use/${String(lastResort).padStart(10, '0')}/`)),
    ).toBe(true);
  });
  test('a start from the last resort is used once, even when everything about its session was lost', async () => {
    const { bob, fromAlice, fromBob, shelf, alice } = await makePair(makePeer('alice'), makePeer('bob'));
    shelf.oneTime.set(bob.id, []);
    const wire = await fromAlice.seal(hello, keepNothing);
    await fromBob.open(wire, keepNothing);
    const lost = [`libsignal/session/${alice.id}`, `libsignal/peer/${alice.id}`];
    await bob.store.write(lost.map((name) => ({ name, value: null })));
    expect(await codeOfAsync(() => fromBob.open(wire, keepNothing))).toBe('replayed');
  });
});

describe('a relay that tampers with pre-keys', () => {
  const start = async () => {
    const world = await makePair(makePeer('alice'), makePeer('bob'));
    const mallory = makePeer('mallory');
    await world.shelf.publish(mallory);
    const sealing = () => codeOfAsync(() => world.fromAlice.seal(hello, keepNothing));
    return { ...world, mallory, sealing };
  };
  /** The bundle or one-time pair with one field altered, and the signature left as it is. */
  const altered = (wire: Uint8Array, field: number, value: (before: CborValue) => CborValue) => {
    const [record, signature] = decodeCbor(wire, 4096) as [Uint8Array, Uint8Array];
    const fields = [...(decodeCbor(record, 4096) as CborValue[])];
    fields[field] = value(fields[field] as CborValue);
    return encodeCbor([encodeCbor(fields), signature]);
  };

  test("another device's bundle, or another organisation's, is refused", async () => {
    const { shelf, bob, mallory, sealing } = await start();
    const own = shelf.bundles.get(bob.id) as Uint8Array;
    shelf.bundles.set(bob.id, shelf.bundles.get(mallory.id) as Uint8Array);
    expect(await sealing()).toBe('bad-signature');
    const elsewhere = makePeer('bob', 1, orgOf('other'));
    shelf.bundles.set(bob.id, (await preparePreKeys(elsewhere.endpoint, 0, START_MS)).bundle);
    expect(await sealing()).toBe('wrong-context');
    shelf.bundles.set(bob.id, own);
    expect(await sealing()).toBeNull();
  });
  test('every altered field of a bundle and of a one-time pair is refused', async () => {
    const { shelf, bob, sealing } = await start();
    const flip = (before: CborValue): CborValue =>
      before instanceof Uint8Array
        ? before.map((byte, i) => (i === 9 ? byte ^ 1 : byte))
        : (before as number) + 1;
    const bundle = shelf.bundles.get(bob.id) as Uint8Array;
    for (let field = 0; field < 12; field += 1) {
      shelf.bundles.set(bob.id, altered(bundle, field, flip));
      expect(await sealing()).toBe('bad-signature');
    }
    shelf.bundles.set(bob.id, bundle);
    const [oneTime] = shelf.oneTime.get(bob.id) as [Uint8Array];
    for (let field = 0; field < 7; field += 1) {
      shelf.oneTime.set(bob.id, [altered(oneTime, field, flip)]);
      expect(await sealing()).toBe('bad-signature');
    }
  });
  test("another device's one-time pair is refused, and a pair where a bundle belongs", async () => {
    const { shelf, bob, mallory, sealing } = await start();
    const own = shelf.oneTime.get(bob.id) as Uint8Array[];
    shelf.oneTime.set(bob.id, [shelf.oneTime.get(mallory.id)?.[0] as Uint8Array]);
    expect(await sealing()).toBe('bad-signature');
    shelf.bundles.set(bob.id, own[0] as Uint8Array);
    expect(await sealing()).toBe('bad-signature');
  });
  test('a bundle older than one that was believed, or out of date, is refused', async () => {
    const { shelf, alice, bob, clock, sealing } = await start();
    const old = shelf.bundles.get(bob.id) as Uint8Array;
    await shelf.publish(bob, START_MS + DAY_MS);
    expect(await sealing()).toBeNull();
    await alice.store.write([{ name: `libsignal/session/${bob.id}`, value: null }]);
    const newer = shelf.bundles.get(bob.id) as Uint8Array;
    shelf.bundles.set(bob.id, old);
    expect(await sealing()).toBe('stale-bundle');
    shelf.bundles.set(bob.id, newer);
    clock.nowMs = START_MS + 61 * DAY_MS;
    expect(await sealing()).toBe('stale-bundle');
    clock.nowMs -= 1;
    expect(await sealing()).toBeNull();
  });
  test("the device's signature over keys that its identity key did not sign is not enough", async () => {
    const { shelf, bob, mallory, sealing } = await start();
    const own = readBundle(bob, shelf.bundles.get(bob.id) as Uint8Array);
    const other = readBundle(mallory, shelf.bundles.get(mallory.id) as Uint8Array);
    const owner = { org: bob.endpoint.org, device: bob.id };
    shelf.oneTime.set(bob.id, []);
    for (const mixed of [
      { ...own, identityKey: other.identityKey },
      { ...own, signedPreKey: other.signedPreKey },
      { ...own, kyberPreKey: other.kyberPreKey },
    ]) {
      shelf.bundles.set(bob.id, createBundle(primitives, bob.signer, owner, mixed));
      expect(await sealing()).toBe('bad-signature');
    }
  });
  test('what a device signs as keys need not be keys', async () => {
    const { shelf, bob, sealing } = await start();
    const own = readBundle(bob, shelf.bundles.get(bob.id) as Uint8Array);
    const owner = { org: bob.endpoint.org, device: bob.id };
    shelf.oneTime.set(bob.id, []);
    for (const name of ['identityKey', 'signedPreKey', 'kyberPreKey'] as const) {
      const noKey = { ...own, [name]: new Uint8Array(own[name].length).fill(9) };
      shelf.bundles.set(bob.id, createBundle(primitives, bob.signer, owner, noKey));
      expect(await sealing()).toBe('bad-key');
    }
  });
  test('one-time pairs of an identity that is lost are refused, and are to be dropped', async () => {
    const { shelf, bob, sealing } = await start();
    const old = shelf.oneTime.get(bob.id) as Uint8Array[];
    const names = await bob.store.names('');
    await bob.store.write(names.map((name) => ({ name, value: null })));
    const made = await preparePreKeys(bob.endpoint, old.length, START_MS + 1);
    expect(made.replacesAll).toBe(true);
    expect(made.oneTime.length).toBe(32);
    const ids = [...old, ...made.oneTime].map((wire) => readOneTime(bob, wire).id);
    expect(new Set(ids).size).toBe(64);
    shelf.bundles.set(bob.id, made.bundle);
    expect(await sealing()).toBe('bad-signature');
    shelf.oneTime.set(bob.id, [...made.oneTime]);
    expect(await sealing()).toBeNull();
  });
});
