import { appendLeaf, rootOf, type GroupId, type MerkleFrontier, type Primitives } from '@keytide/crypto-core';
import { readerOf } from '../byte-reader.ts';
import type { ArchiveFiles } from '../container/destination.ts';
import { segmentFile, type Stretch } from '../container/names.ts';
import { ArchiveError } from '../errors.ts';

const LEAF_BYTES = 32;

/** A segment's leaves, 32 bytes each. @throws ArchiveError `malformed` for more or fewer than it is to have */
export async function* readLeaves(
  files: Pick<ArchiveFiles, 'read'>,
  group: GroupId,
  stretch: Stretch,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = readerOf(files.read(segmentFile(group, stretch, 'leaves')));
  for (let seq = stretch.first; seq <= stretch.last; seq += 1) {
    const leaf = await reader.read(LEAF_BYTES);
    if (leaf.length < LEAF_BYTES) throw wrongCount();
    yield leaf;
  }
  if (!(await reader.isAtEnd())) throw wrongCount();
}

/** The tree of a group's log as far as an archive has it: its root at any size, in memory of a few hashes a segment. */
export interface LogTree {
  readonly size: number;
  /** The root at the present size, 32 bytes. */
  readonly root: Uint8Array;
  /**
   * Goes on with a segment. One that does not follow is read all the same, and the tree stays as it is.
   * @throws ArchiveError `malformed`, `missing-file`: then the tree stays as well
   */
  add(stretch: Stretch, onLeaf: (seq: number, leaf: Uint8Array) => void): Promise<void>;
  /** The roots at those of these sizes that the tree has passed; reads the leaves of their segments once more. */
  rootsAt(sizes: ReadonlySet<number>): Promise<Map<number, Uint8Array>>;
}

/** The tree before the first entry of an archive. */
export function logTree(
  primitives: Primitives,
  files: ArchiveFiles,
  { group, before }: { readonly group: GroupId; readonly before: MerkleFrontier },
): LogTree {
  const passed: { readonly stretch: Stretch; readonly before: MerkleFrontier }[] = [];
  let tree = before;

  async function grow(
    from: MerkleFrontier,
    stretch: Stretch,
    onTree: (tree: MerkleFrontier) => void,
  ): Promise<MerkleFrontier> {
    let grown = from;
    for await (const leaf of readLeaves(files, group, stretch)) {
      grown = appendLeaf(primitives, grown, leaf);
      onTree(grown);
    }
    return grown;
  }

  /** The segment that an entry is in. */
  function segmentOf(seq: number): (typeof passed)[number] | null {
    let [low, high] = [0, passed.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((passed[middle] as (typeof passed)[number]).stretch.last < seq) low = middle + 1;
      else high = middle;
    }
    const found = passed[low];
    return found === undefined || found.stretch.first > seq ? null : found;
  }

  return {
    get size() {
      return tree.size;
    },
    get root() {
      return rootOf(primitives, tree);
    },
    async add(stretch, onLeaf) {
      const start = tree;
      const follows = start.size === stretch.first - 1;
      let grown = start;
      let seq = stretch.first;
      for await (const leaf of readLeaves(files, group, stretch)) {
        if (follows) grown = appendLeaf(primitives, grown, leaf);
        onLeaf(seq, leaf);
        seq += 1;
      }
      // Copies: a hash that was read keeps all that was read with it.
      tree = { size: grown.size, hashes: grown.hashes.map((hash) => hash.slice()) };
      if (follows) passed.push({ stretch, before: start });
    },
    async rootsAt(sizes) {
      const roots = new Map<number, Uint8Array>();
      const keep = (at: MerkleFrontier): void => {
        if (sizes.has(at.size)) roots.set(at.size, rootOf(primitives, at));
      };
      keep(before);
      keep(tree);
      const segments = new Set([...sizes].filter((size) => !roots.has(size)).map(segmentOf));
      for (const segment of segments) if (segment !== null) await grow(segment.before, segment.stretch, keep);
      return roots;
    },
  };
}

function wrongCount(): ArchiveError {
  return new ArchiveError('malformed', 'not as many leaves as entries');
}
