import type { CborValue } from '../cbor.ts';
import { readArray, readBytes, readUint } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import { appendLeaf, EMPTY_FRONTIER, leafHash, rootOf, type MerkleFrontier } from '../merkle.ts';
import type { Primitives } from '../primitives.ts';

/**
 * How far an attachment has come, and what it has hashed to so far: a Merkle tree (RFC 9162) whose entries
 * are the hashes of the chunks' ciphertext, so that later on a single chunk can be proved as well. Never
 * changed in place.
 */
export interface ChunkHashes {
  readonly chunks: number;
  /** `null` when chunks are only counted. */
  readonly frontier: MerkleFrontier | null;
}

export function startHashes(bound: boolean): ChunkHashes {
  return { chunks: 0, frontier: bound ? EMPTY_FRONTIER : null };
}

export function addChunk(primitives: Primitives, hashes: ChunkHashes, sealed: Uint8Array): ChunkHashes {
  const { chunks, frontier } = hashes;
  return {
    chunks: chunks + 1,
    frontier: frontier && appendLeaf(primitives, frontier, leafHash(primitives, primitives.sha256(sealed))),
  };
}

/** The root over all chunks, or `null` when they were only counted. */
export function chunkRoot(primitives: Primitives, { frontier }: ChunkHashes): Uint8Array | null {
  return frontier && rootOf(primitives, frontier);
}

/** `[chunks, [hash, …] or null]`, for checkpoints. */
export function hashesToCbor({ chunks, frontier }: ChunkHashes): CborValue {
  return [chunks, frontier && frontier.hashes];
}

/** Undoes `hashesToCbor`. @throws CryptoError `malformed` */
export function hashesFromCbor(value: CborValue | undefined): ChunkHashes {
  const fields = readArray(value, 'chunk hashes', 2);
  const chunks = readUint(fields[0], 'number of chunks', 2 ** 32 - 1);
  if (fields[1] === null) return { chunks, frontier: null };
  const hashes = readArray(fields[1], 'hashes').map((hash) => readBytes(hash, 'hash', 32).slice());
  if (hashes.length !== bitCount(chunks))
    throw new CryptoError('malformed', 'the hashes are not those of so many chunks');
  return { chunks, frontier: { size: chunks, hashes } };
}

/** A perfect subtree stands for each bit of the size that is set. */
function bitCount(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
