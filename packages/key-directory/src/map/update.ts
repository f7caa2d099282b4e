import { equalBytes, toHex, type Primitives } from '@keytide/crypto-core';
import { buildSubtree, inOrder, splitAt, type MapItem } from './build.ts';
import { bitOf, firstDifference, prefixOf } from './key.ts';
import {
  EMPTY_MAP_ROOT,
  readNode,
  storedNode,
  type BranchNode,
  type LeafNode,
  type NodeSource,
  type StoredNode,
} from './node.ts';

/** What an update leaves to be written. */
export interface MapUpdate {
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** The nodes that the new root needs and the old one did not have. */
  readonly added: readonly StoredNode[];
  /** Hashes of the nodes that only the old root needs: to be deleted once it is not proved any more. */
  readonly replaced: readonly Uint8Array[];
}

/**
 * Puts heads into the map under `root`, new or in place of older ones. Writes nothing: every old node stays
 * as it is, so old roots can be proved until their nodes are deleted. Reads the nodes on the way to the
 * items, about log₂ n for each.
 *
 * Whoever wants the newest root only, as a client does that checks a relay's, keeps a map from hash to bytes: it
 * deletes `replaced`, then writes `added`, and gives the items of `changedHeads` from the state before to the one
 * after. A growth then costs what it changes.
 * @throws DirectoryError `malformed` for a key given twice, `not-stored`
 */
export async function updateMap(
  primitives: Primitives,
  source: NodeSource,
  root: Uint8Array,
  items: readonly MapItem[],
): Promise<MapUpdate> {
  const ordered = inOrder(items);
  const writer = new Writer(primitives, source);
  const after = equalBytes(root, EMPTY_MAP_ROOT) ? writer.build(ordered) : await writer.put(root, ordered);
  return { root: after, ...writer.outcome() };
}

/** One update under way: which nodes it made, and which it put something else in place of. */
class Writer {
  readonly #primitives: Primitives;
  readonly #source: NodeSource;
  readonly #made = new Map<string, StoredNode>();
  readonly #left = new Map<string, Uint8Array>();

  constructor(primitives: Primitives, source: NodeSource) {
    this.#primitives = primitives;
    this.#source = source;
  }

  outcome(): Omit<MapUpdate, 'root'> {
    return {
      added: [...this.#made].filter(([name]) => !this.#left.has(name)).map(([, node]) => node),
      replaced: [...this.#left].filter(([name]) => !this.#made.has(name)).map(([, hash]) => hash),
    };
  }

  build(items: readonly MapItem[]): Uint8Array {
    return buildSubtree(this.#primitives, items, (node) => void this.#made.set(toHex(node.hash), node));
  }

  /** The subtree `hash` with ordered items put in; its new hash. */
  async put(hash: Uint8Array, items: readonly MapItem[]): Promise<Uint8Array> {
    if (items.length === 0) return hash;
    const node = await readNode(this.#source, hash);
    const position = node.kind === 'leaf' ? null : partingOf(node, items);
    if (node.kind === 'leaf' || position === node.position) this.#left.set(toHex(hash), hash);
    if (node.kind === 'leaf') return this.build(withOlder(items, node));
    return this.#putAt(position as number, hash, node, items);
  }

  async #putAt(
    position: number,
    hash: Uint8Array,
    node: BranchNode,
    items: readonly MapItem[],
  ): Promise<Uint8Array> {
    const [zeros, ones] = splitAt(items, position);
    let [left, right] = [node.left, node.right];
    if (position === node.position) {
      [left, right] = await Promise.all([this.put(left, zeros), this.put(right, ones)]);
    } else if (bitOf(node.prefix, position) === 0) {
      [left, right] = [await this.put(hash, zeros), this.build(ones)];
    } else {
      [left, right] = [this.build(zeros), await this.put(hash, ones)];
    }
    const prefix = prefixOf((items[0] as MapItem).key, position);
    const stored = storedNode(this.#primitives, { kind: 'branch', position, prefix, left, right });
    this.#made.set(toHex(stored.hash), stored);
    return stored.hash;
  }
}

/** Where the items and the subtree part: at its own branch, or above it. */
function partingOf({ prefix, position }: BranchNode, items: readonly MapItem[]): number {
  const first = items[0] as MapItem;
  const last = items[items.length - 1] as MapItem;
  return Math.min(position, firstDifference(first.key, prefix), firstDifference(last.key, prefix));
}

function withOlder(items: readonly MapItem[], older: LeafNode): readonly MapItem[] {
  return items.some(({ key }) => equalBytes(key, older.key)) ? items : inOrder([...items, older]);
}
