import { appendLeaf, EMPTY_FRONTIER, groupId, rootOf, type MerkleFrontier } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { expect, it } from 'vitest';
import { segmentFile, type Stretch } from '../../src/container/names.ts';
import { leavesOf, logTree } from '../../src/verify/log-tree.ts';
import { memoryDestination } from '../memory-destination.ts';

const group = groupId(new Uint8Array(32).fill(1));
const STRETCHES: readonly Stretch[] = [
  { first: 6, last: 6 },
  { first: 7, last: 23 },
  { first: 24, last: 40 },
];
const leaf = (seq: number): Uint8Array => primitives.sha256(Uint8Array.of(seq));

/** One leaf after the other: what the tree is held equal to. */
function treeAt(size: number): MerkleFrontier {
  let tree = EMPTY_FRONTIER;
  for (let seq = 1; seq <= size; seq += 1) tree = appendLeaf(primitives, tree, leaf(seq));
  return tree;
}

function archived() {
  const place = memoryDestination();
  for (const stretch of STRETCHES) {
    const seqs = Array.from(
      { length: stretch.last - stretch.first + 1 },
      (_, index) => stretch.first + index,
    );
    place.files.set(
      segmentFile(group, stretch, 'leaves'),
      new Uint8Array(seqs.flatMap((seq) => [...leaf(seq)])),
    );
  }
  const reads: string[] = [];
  const read = (name: string) => {
    reads.push(name);
    return place.read(name);
  };
  return { place, reads, files: { ...place, read } };
}

const sizes = new Set(Array.from({ length: 42 }, (_, size) => size));

it.each([
  ['that were asked for before', sizes, 0],
  ['that were not', new Set<number>(), 2],
  ['some of which were', new Set([8, 9, 21]), 2],
])('has the root of any size from its start to its end, of those %s', async (_, early, readAgain) => {
  const { files, reads } = archived();
  const tree = logTree(primitives, files, { group, before: treeAt(5) });
  for (const stretch of STRETCHES) tree.add(stretch, await leavesOf(files, group, stretch), early);
  expect(tree.size).toBe(40);
  expect(tree.root).toEqual(rootOf(primitives, treeAt(40)));
  reads.length = 0;
  const roots = await tree.rootsAt(sizes);
  expect(reads).toHaveLength(readAgain);
  expect([...roots.keys()].toSorted((a, b) => a - b)).toEqual(
    [...sizes].filter((size) => size >= 5 && size <= 40),
  );
  for (const [size, root] of roots) expect(root).toEqual(rootOf(primitives, treeAt(size)));
});

it('stays as it is with a segment that does not follow', async () => {
  const { files } = archived();
  const tree = logTree(primitives, files, { group, before: treeAt(5) });
  const [, second] = STRETCHES as [Stretch, Stretch];
  tree.add(second, await leavesOf(files, group, second), sizes);
  expect(tree.size).toBe(5);
  expect([...(await tree.rootsAt(sizes)).keys()]).toEqual([5]);
});

it('does not go on with leaves that are not as many as before', async () => {
  const { files, place } = archived();
  const tree = logTree(primitives, files, { group, before: treeAt(5) });
  for (const stretch of STRETCHES) tree.add(stretch, await leavesOf(files, group, stretch), new Set());
  const name = segmentFile(group, STRETCHES[1] as Stretch, 'leaves');
  place.files.set(name, (place.files.get(name) as Uint8Array).slice(0, -1));
  await expect(tree.rootsAt(new Set([10]))).rejects.toMatchObject({ code: 'malformed' });
});
