import { leafHash, nodeHash, uint32Bytes, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  proveConsistency,
  proveInclusion,
  readEdge,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '@keytide/key-directory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeFrom } from '../forge.ts';
import { path, subproof, treeHash } from './naive-tree.ts';
import { TileStore } from './tile-store.ts';

const LEAVES = Array.from({ length: 1100 }, (_, i) => leafHash(primitives, uint32Bytes(i)));
const full = new TileStore();
full.append(primitives, LEAVES);
const hexes = (hashes: readonly Uint8Array[]): string[] => hashes.map(toHex);
const leafAt = (index: number): Uint8Array => LEAVES[index] as Uint8Array;

const sizes = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 250, max: 260 }),
  fc.integer({ min: 1, max: LEAVES.length }),
);
const places = sizes.chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));

describe('proofs from tiles', () => {
  test('are those of the definitions, and hold', async () => {
    await fc.assert(
      fc.asyncProperty(places, async ([size, index]) => {
        const leaves = LEAVES.slice(0, size);
        const root = treeHash(primitives, leaves);
        expect(toHex(await treeRoot(primitives, full, size))).toBe(toHex(root));
        const inclusion = await proveInclusion(primitives, full, index, size);
        expect(hexes(inclusion)).toEqual(hexes(path(primitives, index, leaves)));
        verifyInclusion(primitives, { leaf: leafAt(index), index, size, root }, inclusion);

        const older = { size: index + 1, root: treeHash(primitives, LEAVES.slice(0, index + 1)) };
        const consistency = await proveConsistency(primitives, full, older.size, size);
        expect(hexes(consistency)).toEqual(hexes(subproof(primitives, older.size, leaves)));
        verifyConsistency(primitives, older, { size, root }, consistency);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test('read few tiles, none twice, whatever the size', async () => {
    for (const [size, index] of [
      [1100, 3],
      [1024, 1023],
      [257, 0],
      [1100, 700],
    ] as const) {
      for (const prove of [proveInclusion, proveConsistency]) {
        full.reads = [];
        await prove(primitives, full, Math.min(index + 1, size - 1), size);
        expect(new Set(full.reads).size).toBe(full.reads.length);
        expect(full.reads.length).toBeLessThanOrEqual(4);
      }
    }
  });

  test('hold for no other place, leaf, root or hash, and at no other length', async () => {
    await fc.assert(
      fc.asyncProperty(places, fc.nat(), fc.nat(), async ([size, index], a, b) => {
        const root = treeHash(primitives, LEAVES.slice(0, size));
        const claim = { leaf: leafAt(index), index, size, root };
        const proof = await proveInclusion(primitives, full, index, size);
        const refused = (other: Partial<typeof claim>, wrong = proof): void =>
          expect(codeFrom(() => verifyInclusion(primitives, { ...claim, ...other }, wrong))).toBe(
            'bad-proof',
          );
        const otherIndex = a % size;
        if (otherIndex !== index) refused({ index: otherIndex });
        for (const bad of [size, size + 1, -1, 0.5, Number.NaN, 2 ** 53]) refused({ index: bad });
        for (const bad of [0, -1, 0.5, Number.NaN, 2 ** 53]) refused({ size: bad });
        refused({ leaf: flipped(claim.leaf, b) });
        refused({ leaf: new Uint8Array(0) });
        refused({ root: flipped(root, b) });
        refused({}, [...proof, root]);
        refused({}, proof.length === 0 ? [root] : proof.slice(1));
        if (proof.length > 0) {
          refused({}, proof.slice(0, -1));
          refused(
            {},
            proof.map((hash, i) => (i === a % proof.length ? flipped(hash, b) : hash)),
          );
          refused(
            {},
            proof.map((hash, i) => (i === a % proof.length ? hash.slice(1) : hash)),
          );
        }
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  test('of consistency hold for no other trees, and at no other length', async () => {
    await fc.assert(
      fc.asyncProperty(places, fc.nat(), fc.nat(), async ([size, index], a, b) => {
        const newer = { size, root: treeHash(primitives, LEAVES.slice(0, size)) };
        const older = { size: index + 1, root: treeHash(primitives, LEAVES.slice(0, index + 1)) };
        const proof = await proveConsistency(primitives, full, older.size, size);
        const refused = (from: typeof older, to: typeof newer, wrong = proof): void =>
          expect(codeFrom(() => verifyConsistency(primitives, from, to, wrong))).toBe('bad-proof');
        refused({ ...older, root: flipped(older.root, b) }, newer);
        refused(older, { ...newer, root: flipped(newer.root, b) });
        for (const bad of [size + 1, 0, -1, 0.5, Number.NaN]) refused({ ...older, size: bad }, newer);
        refused(older, newer, [...proof, newer.root]);
        if (proof.length > 0) {
          refused(older, newer, proof.slice(0, -1));
          refused(older, newer, proof.slice(1));
          refused(older, newer, []);
          refused(
            older,
            newer,
            proof.map((hash, i) => (i === a % proof.length ? flipped(hash, b) : hash)),
          );
          refused(
            older,
            newer,
            proof.map((hash, i) => (i === a % proof.length ? hash.slice(1) : hash)),
          );
        }
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test('are refused by their form alone, also where a dishonest log has made the hashes fit', () => {
    const [a, b, c] = [leafAt(0), leafAt(1), leafAt(2)];
    const node = (left: Uint8Array, right: Uint8Array): Uint8Array => nodeHash(primitives, left, right);
    const short = b.slice(1);
    const included = (size: number, root: Uint8Array, ...proof: Uint8Array[]): string | null =>
      codeFrom(() => verifyInclusion(primitives, { leaf: a, index: 0, size, root }, proof));
    expect(included(2, node(a, b), b)).toBe(null);
    expect(included(2, node(a, short), short)).toBe('bad-proof');
    expect(included(1, node(b, a), b)).toBe('bad-proof');
    expect(included(2, node(c, node(a, b)), b, c)).toBe('bad-proof');
    expect(included(4, node(a, b), b)).toBe('bad-proof');
    const grown = (
      older: Uint8Array,
      between: [number, number],
      newer: Uint8Array,
      ...proof: Uint8Array[]
    ): string | null => {
      const [from, to] = [
        { size: between[0], root: older },
        { size: between[1], root: newer },
      ];
      return codeFrom(() => verifyConsistency(primitives, from, to, proof));
    };
    expect(grown(a, [1, 2], node(a, b), b)).toBe(null);
    expect(grown(short, [1, 2], node(short, b), b)).toBe('bad-proof');
    expect(grown(a, [1, 2], node(a, short), short)).toBe('bad-proof');
    const [d, e] = [leafAt(3), leafAt(4)];
    expect(grown(node(c, a), [3, 4], node(c, node(a, b)), a, b, c)).toBe(null);
    const [deeper, larger] = [node(e, node(c, a)), node(e, node(c, node(a, b)))];
    expect(grown(deeper, [3, 4], larger, a, b, c, e)).toBe('bad-proof');
    expect(grown(node(c, a), [3, 8], node(c, node(a, b)), a, b, c)).toBe('bad-proof');
    expect(grown(node(c, a), [3, 4], node(c, node(a, b)), a, b, c, d)).toBe('bad-proof');
    expect(grown(a, [1, 4], node(a, b), b)).toBe('bad-proof');
    expect(grown(node(b, short), [3, 4], node(b, node(short, c)), short, c, b)).toBe('bad-proof');
  });

  test('are refused where they have no meaning, or the tiles are gone', async () => {
    const code = async (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => null,
        (error: { code: string }) => error.code,
      );
    expect(await code(proveInclusion(primitives, full, 5, 5))).toBe('malformed');
    expect(await code(proveInclusion(primitives, full, -1, 5))).toBe('malformed');
    expect(await code(proveConsistency(primitives, full, 0, 5))).toBe('malformed');
    expect(await code(proveConsistency(primitives, full, 6, 5))).toBe('malformed');
    expect(await code(treeRoot(primitives, full, 0))).toBe('malformed');
    expect(await code(treeRoot(primitives, full, LEAVES.length + 1))).toBe('not-stored');
    expect(await code(readEdge(full, 70_000))).toBe('not-stored');
    expect(await code(readEdge(full, -1))).toBe('malformed');
    const early = new TileStore();
    early.append(primitives, LEAVES.slice(0, 3));
    expect(await code(readEdge(early, 4))).toBe('not-stored');
    expect(await code(proveInclusion(primitives, early, 0, 4))).toBe('not-stored');
    expect(await code(proveInclusion(primitives, new TileStore(), 0, 2))).toBe('not-stored');
  });
});

describe('the tile writer', () => {
  test('makes the same tiles in any steps, and can go on from what is stored', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 6 }), async (steps) => {
        const store = new TileStore();
        let size = 0;
        for (const step of steps) {
          store.edge = await readEdge(store, size);
          store.append(primitives, LEAVES.slice(size, size + step));
          size = Math.min(LEAVES.length, size + step);
        }
        const once = new TileStore();
        once.append(primitives, LEAVES.slice(0, size));
        expect(store.edge).toEqual(once.edge);
        expect(new Map(store.tiles)).toEqual(new Map(once.tiles));
      }),
      { numRuns: 25, seed: 4 },
    );
  });

  test('touches about one tile in 256 leaves, and no full tile again', () => {
    const store = new TileStore();
    store.append(primitives, LEAVES.slice(0, 1000));
    const written = store.append(primitives, LEAVES.slice(1000));
    expect(written.map(({ level, index, hashes }) => [level, index, hashes.length / 32])).toEqual([
      [0, 3, 256],
      [0, 4, 76],
      [1, 0, 4],
    ]);
    expect(store.append(primitives, [leafAt(0)])).toHaveLength(1);
    expect(store.append(primitives, [])).toEqual([]);
  });
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at % copy.length] = (copy[at % copy.length] as number) ^ 1;
  return copy;
}
