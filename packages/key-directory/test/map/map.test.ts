import { decodeCbor, encodeCbor, toHex, uint32Bytes, type CborValue } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  EMPTY_MAP_ROOT,
  mapRoot,
  MAX_LOOKUP_BYTES,
  proveLookup,
  updateMap,
  verifyLookup,
  type MapItem,
} from '@keytide/key-directory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeFrom } from '../forge.ts';
import { naiveRoot } from './naive-map.ts';
import { NodeStore } from './node-store.ts';

/** Keys that share long beginnings now and then, so that branches part above others. */
const keys = fc
  .tuple(fc.constantFrom(0, 0x80, 0xff), fc.integer({ min: 0, max: 31 }), fc.nat(255), fc.nat(3))
  .map(([fill, at, byte, last]) => {
    const key = new Uint8Array(32).fill(fill);
    key[at] = byte;
    key[31] = last;
    return key;
  });
const items: fc.Arbitrary<MapItem[]> = fc.uniqueArray(
  fc.record({ key: keys, leaf: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
  { selector: ({ key }) => toHex(key), maxLength: 40 },
);

async function build(batches: readonly (readonly MapItem[])[]): Promise<[NodeStore, Uint8Array]> {
  const store = new NodeStore();
  let root = EMPTY_MAP_ROOT;
  for (const batch of batches) root = store.keep(await updateMap(primitives, store, root, batch));
  return [store, root];
}

describe('the map', () => {
  test('has one root for one set, in whatever order and steps it was made', async () => {
    await fc.assert(
      fc.asyncProperty(items, fc.nat(40), fc.nat(40), async (set, a, b) => {
        const expected = naiveRoot(primitives, set);
        expect(toHex(mapRoot(primitives, set))).toBe(expected);
        const [, oneByOne] = await build(set.map((item) => [item]));
        const [, backwards] = await build(set.toReversed().map((item) => [item]));
        const [, batches] = await build([set.slice(0, a), set.slice(a, a + b), set.slice(a + b)]);
        expect([oneByOne, backwards, batches].map(toHex)).toEqual([expected, expected, expected]);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  test('takes updates in place, keeps old roots readable, and prunes exactly what they alone need', async () => {
    await fc.assert(
      fc.asyncProperty(items, items, async (older, changes) => {
        const [store, before] = await build([older]);
        const update = await updateMap(primitives, store, before, changes);
        const after = store.keep(update);
        const merged = new Map([...older, ...changes].map((item) => [toHex(item.key), item]));
        expect(toHex(after)).toBe(naiveRoot(primitives, [...merged.values()]));
        for (const { key, leaf } of older)
          expect(
            verifyLookup(primitives, before, key, await proveLookup(primitives, store, before, key)),
          ).toEqual(leaf);
        store.prune(update);
        const [fresh] = await build([[...merged.values()]]);
        expect([...store.nodes.keys()].toSorted()).toEqual([...fresh.nodes.keys()].toSorted());
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  test('does not take one key twice in one update', async () => {
    const item = { key: new Uint8Array(32), leaf: Uint8Array.of(1) };
    expect(codeFrom(() => mapRoot(primitives, [item, item]))).toBe('malformed');
    await expect(updateMap(primitives, new NodeStore(), EMPTY_MAP_ROOT, [item, item])).rejects.toMatchObject({
      code: 'malformed',
    });
  });

  test('says when a node is not stored or damaged', async () => {
    const [store, root] = await build([[{ key: new Uint8Array(32), leaf: Uint8Array.of(1) }]]);
    await expect(proveLookup(primitives, new NodeStore(), root, root)).rejects.toMatchObject({
      code: 'not-stored',
    });
    store.nodes.set(toHex(root), Uint8Array.of(1, 2, 3));
    await expect(proveLookup(primitives, store, root, root)).rejects.toMatchObject({ code: 'malformed' });
  });
});

describe('a lookup', () => {
  test('proves what is there and that nothing else is', async () => {
    await fc.assert(
      fc.asyncProperty(items, keys, async (set, other) => {
        const [store, root] = await build([set]);
        for (const { key, leaf } of set)
          expect(
            verifyLookup(primitives, root, key, await proveLookup(primitives, store, root, key)),
          ).toEqual(leaf);
        const found = set.find(({ key }) => toHex(key) === toHex(other))?.leaf ?? null;
        expect(
          verifyLookup(primitives, root, other, await proveLookup(primitives, store, root, other)),
        ).toEqual(found);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test('is good for one root, one key and one answer: no changed byte passes', async () => {
    await fc.assert(
      fc.asyncProperty(
        items,
        keys,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (set, key, at, change) => {
          const [store, root] = await build([set]);
          const proof = await proveLookup(primitives, store, root, key);
          const altered = proof.slice();
          altered[at % proof.length] = (altered[at % proof.length] as number) ^ change;
          expect(codeFrom(() => verifyLookup(primitives, root, key, altered))).toMatch(
            /^(bad-proof|malformed|unsupported-version)$/,
          );
          const otherRoot = root.slice();
          otherRoot[at % 32] = (otherRoot[at % 32] as number) ^ change;
          expect(codeFrom(() => verifyLookup(primitives, otherRoot, key, proof))).toBe('bad-proof');
        },
      ),
      { numRuns: 200, seed: 4 },
    );
  });

  test('of one key never answers for another', async () => {
    await fc.assert(
      fc.asyncProperty(items, keys, keys, async (set, key, other) => {
        const [store, root] = await build([set]);
        const proof = await proveLookup(primitives, store, root, key);
        const truth = set.find((item) => toHex(item.key) === toHex(other))?.leaf ?? null;
        let answer: Uint8Array | null | string;
        try {
          answer = verifyLookup(primitives, root, other, proof);
        } catch {
          answer = 'refused';
        }
        if (answer !== 'refused') expect(answer).toEqual(truth);
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});

describe('a proof that a hostile prover makes up', () => {
  const entry = (n: number): MapItem => ({
    key: primitives.sha256(uint32Bytes(n)),
    leaf: Uint8Array.of(n),
  });
  const set = Array.from({ length: 30 }, (_, n) => entry(n));
  const target = set[7] as MapItem;
  const parts = async (key: Uint8Array): Promise<[Uint8Array, CborValue[]]> => {
    const [store, root] = await build([set]);
    const proof = await proveLookup(primitives, store, root, key);
    return [root, decodeCbor(proof, MAX_LOOKUP_BYTES) as CborValue[]];
  };
  const verdict = (root: Uint8Array, key: Uint8Array, fields: readonly CborValue[]): string | null =>
    codeFrom(() => verifyLookup(primitives, root, key, encodeCbor(fields)));

  test('cannot deny a key by leading to itself', async () => {
    const [root, [version, positions, siblings, leaf]] = await parts(target.key);
    const value = primitives.sha256(
      Uint8Array.of(...Buffer.from('keytide/v1/map-value\0'), ...(leaf as Uint8Array)),
    );
    const fields = [version, positions, siblings, [target.key, value]] as CborValue[];
    expect(verdict(root, set[8]?.key as Uint8Array, fields)).toBe('bad-proof');
    expect(verdict(root, target.key, fields)).toBe('bad-proof');
  });

  test('cannot deny a key by leading to another that is there', async () => {
    for (const { key } of set.filter((item) => item !== target)) {
      const [root, [version, positions, siblings, leaf]] = await parts(key);
      const value = primitives.sha256(
        Uint8Array.of(...Buffer.from('keytide/v1/map-value\0'), ...(leaf as Uint8Array)),
      );
      const fields = [version, positions, siblings, [key, value]] as CborValue[];
      expect(verdict(root, target.key, fields)).toBe('bad-proof');
    }
  });

  test('cannot claim an empty map, turn back, or change its form', async () => {
    const [root, [version, positions, siblings, leaf]] = await parts(target.key);
    expect(verdict(root, target.key, [1, new Uint8Array(0), new Uint8Array(0), null])).toBe('bad-proof');
    expect(
      verdict(EMPTY_MAP_ROOT, target.key, [1, positions as Uint8Array, siblings as Uint8Array, null]),
    ).toBe('bad-proof');
    expect(verdict(root, target.key, [2, positions, siblings, leaf] as CborValue[])).toBe(
      'unsupported-version',
    );
    expect(verdict(root, target.key, [version, positions, siblings] as CborValue[])).toBe('malformed');
    const [, ...shorter] = positions as Uint8Array;
    expect(
      verdict(root, target.key, [1, Uint8Array.from(shorter), siblings as Uint8Array, leaf as Uint8Array]),
    ).toBe('malformed');
    expect(
      codeFrom(() => verifyLookup(primitives, root, target.key, new Uint8Array(MAX_LOOKUP_BYTES + 1))),
    ).toBe('too-large');
  });

  test('cannot pass off a map in which a leaf lies on the wrong side, or a way turns back', async () => {
    // No honest prover builds these; a relay that signs what it likes may.
    const { branchNodeHash, leafNodeHash, valueHash } = await import('../../src/map/node.ts');
    const { key, leaf } = target;
    const value = valueHash(primitives, leaf);
    const sibling = new Uint8Array(32).fill(9);
    const branch = (below: Uint8Array, isRight: boolean): Uint8Array =>
      branchNodeHash(primitives, key, 0, isRight ? [sibling, below] : [below, sibling]);
    const isRight = ((key[0] as number) & 0x80) !== 0;
    const once = branch(leafNodeHash(primitives, key, value), isRight);
    expect(verdict(once, key, [1, Uint8Array.of(0), sibling, leaf])).toBe(null);

    const twice = branch(once, isRight);
    const joined = Uint8Array.of(...sibling, ...sibling);
    expect(verdict(twice, key, [1, Uint8Array.of(0, 0), joined, leaf])).toBe('bad-proof');

    const misplaced = branch(leafNodeHash(primitives, key, value), !isRight);
    const other = key.map((byte, i) => (i === 0 ? byte ^ 0x80 : byte));
    expect(verdict(misplaced, other, [1, Uint8Array.of(0), sibling, [key, value]])).toBe('bad-proof');
  });
});

test('a lookup grows by 33 bytes each time the map doubles', async () => {
  const sizes: number[] = [];
  for (const count of [500, 1000, 2000]) {
    const entries = Array.from({ length: count }, (_, n) => {
      return { key: primitives.sha256(uint32Bytes(n)), leaf: new Uint8Array(70) };
    });
    const [store, root] = await build([entries]);
    const lookups = await Promise.all(entries.map(({ key }) => proveLookup(primitives, store, root, key)));
    sizes.push(lookups.reduce((sum, { length }) => sum + length, 0) / count);
  }
  const [first, second, third] = sizes as [number, number, number];
  expect(third).toBeLessThan(475);
  expect(second - first).toBeCloseTo(33, -1);
  expect(third - second).toBeCloseTo(33, -1);
});
