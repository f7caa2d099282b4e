import { asciiBytes, concatBytes, fromHex, leafHash, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  parseTilePath,
  proveConsistency,
  proveInclusion,
  tilePath,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { codeFrom } from '../forge.ts';
import merkle from '../vectors/merkle-proofs.json' with { type: 'json' };
import tlog from '../vectors/tlog.json' with { type: 'json' };
import { treeHash } from './naive-tree.ts';
import { TileStore } from './tile-store.ts';

const hex = (text: string): Uint8Array => fromHex(text) as Uint8Array;

describe('transparency-dev/merkle', () => {
  test.each(merkle.inclusion)('inclusion of $index in $size: refused $refused', (vector) => {
    const { index, size, refused } = vector;
    const claim = { index, size, leaf: hex(vector.leaf), root: hex(vector.root) };
    const code = codeFrom(() => verifyInclusion(primitives, claim, vector.proof.map(hex)));
    expect(code).toBe(refused ? 'bad-proof' : null);
  });

  test.each(merkle.consistency)('consistency from $older to $newer: refused $refused', (vector) => {
    const older = { size: vector.older, root: hex(vector.olderRoot) };
    const newer = { size: vector.newer, root: hex(vector.newerRoot) };
    const code = codeFrom(() => verifyConsistency(primitives, older, newer, vector.proof.map(hex)));
    expect(code).toBe(vector.refused ? 'bad-proof' : null);
  });

  test('has as many cases as were recorded, of both verdicts', () => {
    expect([merkle.inclusion.length, merkle.consistency.length]).toEqual([96, 97]);
    for (const cases of [merkle.inclusion, merkle.consistency])
      expect(new Set(cases.map(({ refused }) => refused)).size).toBe(2);
  });

  test('the roots of the test tree of RFC 6962 and RFC 9162 at each size', async () => {
    const leaves = merkle.tree.leaves.map((leaf) => leafHash(primitives, hex(leaf)));
    const store = new TileStore();
    for (const [i, leaf] of leaves.entries()) {
      store.append(primitives, [leaf]);
      expect(toHex(await treeRoot(primitives, store, i + 1))).toBe(merkle.tree.roots[i]);
      expect(toHex(treeHash(primitives, leaves.slice(0, i + 1)))).toBe(merkle.tree.roots[i]);
    }
  });
});

describe('golang.org/x/mod/sumdb/tlog', () => {
  const store = new TileStore();
  const leaves = Array.from({ length: tlog.tileSize }, (_, i) =>
    leafHash(primitives, asciiBytes(`entry ${i}`)),
  );
  store.append(primitives, leaves);
  const digest = (hashes: readonly Uint8Array[]): string => toHex(primitives.sha256(concatBytes(...hashes)));

  test('writes the same tiles under the same paths', () => {
    const written = new Map(
      Array.from(store.tiles, ([name, hashes]) => {
        const [level, index] = name.split('/').map(Number) as [number, number];
        return [tilePath({ level, index, width: hashes.length / 32 }), digest([hashes])];
      }),
    );
    expect(written.size).toBe(277);
    for (const [path, sha256] of Object.entries(tlog.tiles))
      expect([path, written.get(path)]).toEqual([path, sha256]);
  });

  test.each(Object.entries(tlog.paths))('the path %s', (path, [level, index, width]) => {
    const tile = { level: level as number, index: index as number, width: width as number };
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  test.each(Object.entries(tlog.roots))('the root of %s entries', async (size, root) => {
    expect(toHex(await treeRoot(primitives, store, Number(size)))).toBe(root);
  });

  test.each(tlog.inclusion)('the proof of entry $index in $size', async ({ index, size, count, sha256 }) => {
    const proof = await proveInclusion(primitives, store, index, size);
    expect([proof.length, digest(proof)]).toEqual([count, sha256]);
    const root = await treeRoot(primitives, store, size);
    verifyInclusion(primitives, { leaf: leaves[index] as Uint8Array, index, size, root }, proof);
  });

  test.each(tlog.consistency)('the proof from $older to $newer', async ({ older, newer, count, sha256 }) => {
    const proof = await proveConsistency(primitives, store, older, newer);
    expect([proof.length, digest(proof)]).toEqual([count, sha256]);
    const roots = await Promise.all([older, newer].map((size) => treeRoot(primitives, store, size)));
    const [olderRoot, newerRoot] = roots as [Uint8Array, Uint8Array];
    verifyConsistency(primitives, { size: older, root: olderRoot }, { size: newer, root: newerRoot }, proof);
  });
});
