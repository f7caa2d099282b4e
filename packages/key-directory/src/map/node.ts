import { concatBytes, labelledHash, type Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { prefixOf } from './key.ts';

/** The root of the map without entries: 32 zero bytes, which is the hash of nothing known. */
export const EMPTY_MAP_ROOT: Uint8Array = new Uint8Array(32);

/** One head in its place. */
export interface LeafNode {
  readonly kind: 'leaf';
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** The head's bytes, docs/spec/transparency.md. */
  readonly leaf: Uint8Array;
}

/** Where keys that agree up to `position` part: those with a 0 there are left. */
export interface BranchNode {
  readonly kind: 'branch';
  /** 0 to 255. */
  readonly position: number;
  /** What the keys below agree in: 32 bytes, zero from `position` on. */
  readonly prefix: Uint8Array;
  readonly left: Uint8Array;
  readonly right: Uint8Array;
}

/** A node of the map. */
export type MapNode = LeafNode | BranchNode;

/** A node as it is stored: its bytes under its hash (32 bytes). */
export interface StoredNode {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Where the nodes of a map are kept, old ones too for as long as old roots shall be proved. */
export interface NodeSource {
  /** The bytes stored under this hash; `null` when there are none. */
  readNode(hash: Uint8Array): Promise<Uint8Array | null>;
}

const LEAF = Uint8Array.of(0);
const BRANCH = Uint8Array.of(1);

/** The hash of a leaf node from its key and `valueHash`, both 32 bytes. */
export function leafNodeHash(primitives: Primitives, key: Uint8Array, value: Uint8Array): Uint8Array {
  return labelledHash(primitives, 'mapNode', LEAF, key, value);
}

/** The hash of a branch; any key below it gives the prefix. */
export function branchNodeHash(
  primitives: Primitives,
  anyKey: Uint8Array,
  position: number,
  [left, right]: readonly [Uint8Array, Uint8Array],
): Uint8Array {
  const prefix = prefixOf(anyKey, position);
  return labelledHash(primitives, 'mapNode', BRANCH, Uint8Array.of(position), prefix, left, right);
}

/** What a leaf node holds of a head: 32 bytes. */
export function valueHash(primitives: Primitives, leaf: Uint8Array): Uint8Array {
  return labelledHash(primitives, 'mapValue', leaf);
}

/** 00 ‖ key ‖ head, or 01 ‖ position ‖ prefix ‖ left ‖ right, under the hash. */
export function storedNode(primitives: Primitives, node: MapNode): StoredNode {
  if (node.kind === 'leaf') {
    const hash = leafNodeHash(primitives, node.key, valueHash(primitives, node.leaf));
    return { hash, bytes: concatBytes(LEAF, node.key, node.leaf) };
  }
  const { position, prefix, left, right } = node;
  const hash = branchNodeHash(primitives, prefix, position, [left, right]);
  return { hash, bytes: concatBytes(BRANCH, Uint8Array.of(position), prefix, left, right) };
}

const BRANCH_BYTES = 98;
const LEAF_HEADER_BYTES = 33;

/** Reads a node from where it is stored. @throws DirectoryError `not-stored`, `malformed` */
export async function readNode(source: NodeSource, hash: Uint8Array): Promise<MapNode> {
  const bytes = await source.readNode(hash);
  if (bytes === null) throw new DirectoryError('not-stored', 'a node of the map is not stored');
  if (bytes[0] === 0 && bytes.length > LEAF_HEADER_BYTES)
    return { kind: 'leaf', key: bytes.slice(1, LEAF_HEADER_BYTES), leaf: bytes.slice(LEAF_HEADER_BYTES) };
  if (bytes[0] !== 1 || bytes.length !== BRANCH_BYTES)
    throw new DirectoryError('malformed', 'a stored node of the map is damaged');
  return {
    kind: 'branch',
    position: bytes[1] as number,
    prefix: bytes.slice(2, 34),
    left: bytes.slice(34, 66),
    right: bytes.slice(66),
  };
}
