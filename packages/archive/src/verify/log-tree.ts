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

/**
 * All of a segment's leaves in one piece, to be gone through without waiting for each. Of a file of another length,
 * as much as shows that it is.
 * @throws ArchiveError `missing-file`
 */
export async function leavesOf(
  files: Pick<ArchiveFiles, 'read'>,
  group: GroupId,
  stretch: Stretch,
): Promise<Uint8Array> {
  const reader = readerOf(files.read(segmentFile(group, stretch, 'leaves')));
  try {
    return await reader.read(sizeOf(stretch) + 1);
  } finally {
    await reader.close();
  }
}

/** Whether these are as many leaves as the stretch has entries. */
export function isLeavesOf(leaves: Uint8Array, stretch: Stretch): boolean {
  return leaves.length === sizeOf(stretch);
}

/** The leaf at a seq; `null` behind the last one that is there. */
export function leafAt(leaves: Uint8Array, { first }: Stretch, seq: number): Uint8Array | null {
  const at = (seq - first) * LEAF_BYTES;
  return at + LEAF_BYTES > leaves.length ? null : leaves.subarray(at, at + LEAF_BYTES);
}

/** The tree of a group's log as far as an archive has it: its root at any size, in memory of a few hashes a segment. */
export interface LogTree {
  readonly size: number;
  /** The root at the present size, 32 bytes. */
  readonly root: Uint8Array;
  /** Goes on with a segment's leaves, as many as it has entries; stays as it is with one that does not follow. */
  add(stretch: Stretch, leaves: Uint8Array, sizes: ReadonlySet<number>): void;
  /**
   * The roots at those of these sizes that the tree has passed. Those that were not among the `sizes` of the segment
   * that they are in take reading its leaves once more.
   */
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
  /** Roots by size: where segments end, and those that were asked for before their segment came. */
  const known = new Map([[tree.size, rootOf(primitives, tree)]]);

  /** The tree behind a segment; its roots at some sizes on the way are put to the others. */
  function grow(
    from: MerkleFrontier,
    leaves: Uint8Array,
    { sizes, roots }: { readonly sizes: ReadonlySet<number>; readonly roots: Map<number, Uint8Array> },
  ): MerkleFrontier {
    let grown = from;
    for (let at = 0; at < leaves.length; at += LEAF_BYTES) {
      grown = appendLeaf(primitives, grown, leaves.subarray(at, at + LEAF_BYTES));
      if (sizes.has(grown.size)) roots.set(grown.size, rootOf(primitives, grown));
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
      return known.get(tree.size) as Uint8Array;
    },
    add(stretch, leaves, sizes) {
      const start = tree;
      if (start.size !== stretch.first - 1) return;
      const grown = grow(start, leaves, { sizes, roots: known });
      // Copies: a leaf that was read keeps all that was read with it.
      tree = { size: grown.size, hashes: grown.hashes.map((hash) => hash.slice()) };
      known.set(tree.size, rootOf(primitives, tree));
      passed.push({ stretch, before: start });
    },
    async rootsAt(sizes) {
      const roots = new Map<number, Uint8Array>();
      const left = new Set<number>();
      for (const size of sizes) {
        const root = known.get(size);
        if (root === undefined) left.add(size);
        else roots.set(size, root);
      }
      for (const segment of new Set([...left].map(segmentOf))) {
        if (segment === null) continue;
        const { stretch, before: start } = segment;
        const leaves = await leavesOf(files, group, stretch);
        if (!isLeavesOf(leaves, stretch)) throw wrongCount();
        grow(start, leaves, { sizes: left, roots });
      }
      return roots;
    },
  };
}

/** How long the leaves of a stretch are. */
function sizeOf({ first, last }: Stretch): number {
  return (last - first + 1) * LEAF_BYTES;
}

function wrongCount(): ArchiveError {
  return new ArchiveError('malformed', 'not as many leaves as entries');
}
