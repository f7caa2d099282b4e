import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  appendLeaf,
  concatBytes,
  EMPTY_FRONTIER,
  leafHash,
  rootOf,
  toHex,
  type MerkleFrontier,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { hex } from './vectors.ts';

/** The definition of RFC 9162 §2.1.1, word for word: the twin that the frontier is held equal to. */
function rootByDefinition(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return primitives.sha256(new Uint8Array(0));
  if (entries.length === 1) return primitives.sha256(concatBytes(Uint8Array.of(0), entries[0] as Uint8Array));
  let split = 1;
  while (split * 2 < entries.length) split *= 2;
  return primitives.sha256(
    concatBytes(
      Uint8Array.of(1),
      rootByDefinition(entries.slice(0, split)),
      rootByDefinition(entries.slice(split)),
    ),
  );
}

const appendAll = (entries: readonly Uint8Array[]): MerkleFrontier =>
  entries.reduce(
    (frontier, entry) => appendLeaf(primitives, frontier, leafHash(primitives, entry)),
    EMPTY_FRONTIER,
  );

describe('Merkle frontier', () => {
  test('roots of the Certificate Transparency test data', () => {
    const entries = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657'].map(hex);
    entries.push(hex('606162636465666768696a6b6c6d6e6f'));
    const roots = entries.map((_, index) =>
      toHex(rootOf(primitives, appendAll(entries.slice(0, index + 1)))),
    );
    expect(roots).toEqual([
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ]);
  });

  test('equals the definition at every size', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 70 }), (entries) => {
        const frontier = appendAll(entries);
        expect(rootOf(primitives, frontier)).toEqual(rootByDefinition(entries));
        expect(frontier.size).toBe(entries.length);
      }),
    );
  });

  test('appending leaves the frontier before as it was', () => {
    const before = appendAll([hex('01'), hex('02'), hex('03')]);
    const root = rootOf(primitives, before);
    appendLeaf(primitives, before, leafHash(primitives, hex('04')));
    expect(rootOf(primitives, before)).toEqual(root);
    expect(EMPTY_FRONTIER).toEqual({ size: 0, hashes: [] });
  });
});
