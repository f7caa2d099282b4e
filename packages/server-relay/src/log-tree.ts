import {
  appendLeaf,
  EMPTY_FRONTIER,
  leafHash,
  type GroupId,
  type MerkleFrontier,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import { encodeGroupEntry, type GroupEntry } from '@keytide/relay-protocol';
import type { EntryStore } from './entry-store.ts';
import { RelayError } from './errors.ts';

/** What the trees of logs are made from (docs/spec/floor.md). */
export interface TreeSource {
  readonly store: Pick<EntryStore, 'readTree' | 'readFloor'>;
  /** A page of a log after a seq, as it came. */
  readonly readEntries: (
    org: OrgId,
    group: GroupId,
    afterSeq: number,
  ) => Promise<{ readonly entries: readonly (GroupEntry & { readonly seq: number })[] }>;
  readonly primitives: Primitives;
  /** Ends the growth of a tree after the page that is read. Default: nothing does. */
  readonly signal?: AbortSignal;
}

/** A group's log. */
export interface LogPlace {
  readonly org: OrgId;
  readonly group: GroupId;
}

/**
 * The largest tree of a log that is kept and has no more than `size` entries; the empty one where none is. `null` where
 * something between it and the log's beginning is gone: what the log has then is in no tree any more.
 */
export async function keptTree(
  { store }: Pick<TreeSource, 'store'>,
  { org, group }: LogPlace,
  size: number,
): Promise<MerkleFrontier | null> {
  // First, so that a floor that moves meanwhile is beyond no tree that came with it.
  const floor = await store.readFloor(org, group);
  const stored = await store.readTree(org, group, size);
  const kept = stored === null ? EMPTY_FRONTIER : frontierOf(stored);
  return floor !== null && floor.firstSeq > kept.size + 1 ? null : kept;
}

/**
 * The tree with the entries up to `size`, which are read a page at a time; a smaller one where `signal` ended it.
 * @throws RelayError `data-damaged` where they do not open, or are gone
 */
export async function growTree(
  { readEntries, primitives, signal }: Omit<TreeSource, 'store'>,
  { org, group }: LogPlace,
  tree: MerkleFrontier,
  size: number,
): Promise<MerkleFrontier> {
  let grown = tree;
  while (grown.size < size && signal?.aborted !== true) {
    const { entries } = await readEntries(org, group, grown.size);
    for (const entry of entries.slice(0, size - grown.size)) {
      if (entry.seq !== grown.size + 1) throw new RelayError('data-damaged', 'a log has a hole');
      grown = appendLeaf(primitives, grown, leafHash(primitives, encodeGroupEntry(entry)));
    }
    if (entries.length === 0) throw new RelayError('data-damaged', 'a log ends before its head');
  }
  return grown;
}

/** A frontier from the bytes of its hashes, 32 each, the largest subtree first. */
export function frontierOf({
  size,
  frontier,
}: {
  readonly size: number;
  readonly frontier: Uint8Array;
}): MerkleFrontier {
  const hashes = Array.from({ length: frontier.length / 32 }, (_, i) => frontier.slice(32 * i, 32 * i + 32));
  return { size, hashes };
}
