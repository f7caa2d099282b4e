import { decodeCbor, encodeCbor, equalBytes, type CborValue, type Primitives } from '@keytide/crypto-core';
import { z } from 'zod';
import { badProof } from '../bad-proof.ts';
import { DirectoryError, inDirectoryTerms } from '../errors.ts';
import { bitOf } from './key.ts';
import {
  branchNodeHash,
  EMPTY_MAP_ROOT,
  leafNodeHash,
  readNode,
  valueHash,
  type LeafNode,
  type NodeSource,
} from './node.ts';

/** The longest proof that is read: 256 branches and the longest head. */
export const MAX_LOOKUP_BYTES: number = 32 * 1024;

const VERSION = 1;
const HASH_BYTES = 32;

/**
 * The way to a key in the map under `root`, present or not; `verifyLookup` reads it. CBOR, about 680 bytes
 * for a device in a map of 100,000.
 * @throws DirectoryError `not-stored`
 */
export async function proveLookup(
  primitives: Primitives,
  source: NodeSource,
  root: Uint8Array,
  key: Uint8Array,
): Promise<Uint8Array> {
  if (equalBytes(root, EMPTY_MAP_ROOT)) return encodeLookup([], [], null);
  const positions: number[] = [];
  const siblings: Uint8Array[] = [];
  let node = await readNode(source, root);
  while (node.kind === 'branch') {
    const isRight = bitOf(key, node.position) === 1;
    positions.push(node.position);
    siblings.push(isRight ? node.left : node.right);
    node = await readNode(source, isRight ? node.right : node.left);
  }
  return encodeLookup(positions, siblings, endOf(primitives, key, node));
}

/**
 * What the map under `root` holds for a key: the head's bytes, or `null` when it holds none. Under one root
 * there is one answer for a key: where the way turns is part of each hash, and it must turn as the key does.
 * @throws DirectoryError `bad-proof`, `malformed`, `too-large`, `unsupported-version`; a retry does not help
 */
export function verifyLookup(
  primitives: Primitives,
  root: Uint8Array,
  key: Uint8Array,
  proof: Uint8Array,
): Uint8Array | null {
  const { positions, siblings, end } = parseLookup(proof);
  if (end === null) {
    if (positions.length > 0 || !equalBytes(root, EMPTY_MAP_ROOT)) throw badProof('the map is not empty');
    return null;
  }
  const isPresent = end instanceof Uint8Array;
  const [endKey, value] = isPresent ? [key, valueHash(primitives, end)] : end;
  if (!isPresent && equalBytes(endKey, key)) throw badProof('the key that is said to be absent is there');
  let hash = leafNodeHash(primitives, endKey, value);
  for (let i = positions.length - 1; i >= 0; i -= 1) {
    const position = positions[i] as number;
    if (i > 0 && (positions[i - 1] as number) >= position) throw badProof('the way turns back');
    const side = bitOf(key, position);
    if (bitOf(endKey, position) !== side) throw badProof('the way leads past another key');
    const sibling = siblings[i] as Uint8Array;
    hash = branchNodeHash(primitives, endKey, position, side === 1 ? [sibling, hash] : [hash, sibling]);
  }
  if (!equalBytes(hash, root)) throw badProof('the proof leads to another root');
  return isPresent ? end : null;
}

/** Where a way ends: the head that is looked for, another key with its value, or nothing in the empty map. */
type End = Uint8Array | readonly [key: Uint8Array, value: Uint8Array] | null;

function endOf(primitives: Primitives, key: Uint8Array, { key: found, leaf }: LeafNode): End {
  return equalBytes(found, key) ? leaf : [found, valueHash(primitives, leaf)];
}

/** CBOR `[1, positions, siblings, end]`: one byte and 32 bytes for each branch, from the root. */
function encodeLookup(positions: readonly number[], siblings: readonly Uint8Array[], end: End): Uint8Array {
  const joined = new Uint8Array(siblings.length * HASH_BYTES);
  for (const [i, sibling] of siblings.entries()) joined.set(sibling, i * HASH_BYTES);
  return encodeCbor([VERSION, Uint8Array.from(positions), joined, end as CborValue]);
}

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const bytes32 = bytes.refine((value) => value.length === HASH_BYTES);
const lookupSchema = z
  .tuple([z.literal(VERSION), bytes, bytes, z.union([bytes, z.tuple([bytes32, bytes32]), z.null()])])
  .refine(([, positions, siblings]) => siblings.length === positions.length * HASH_BYTES);

function parseLookup(proof: Uint8Array): { positions: Uint8Array; siblings: Uint8Array[]; end: End } {
  const value = inDirectoryTerms(() => decodeCbor(proof, MAX_LOOKUP_BYTES));
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'a proof of a version that this build does not know');
  const fields = lookupSchema.safeParse(value).data;
  if (fields === undefined) throw new DirectoryError('malformed', 'not a proof of the map');
  const [, positions, joined, end] = fields;
  const siblings = Array.from(positions, (_, i) => joined.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
  return { positions, siblings, end };
}
