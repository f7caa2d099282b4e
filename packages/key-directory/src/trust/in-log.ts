import { leafHash } from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { verifyConsistency } from '../tree/consistency.ts';
import { verifyInclusion } from '../tree/inclusion.ts';
import { proveConsistency, proveInclusion } from '../tree/prove.ts';
import type { ProofTools } from './source.ts';

/** @throws DirectoryError `bad-proof` unless the one log is the start of the other; `not-stored` */
export async function requireConsistent(
  { primitives, source }: ProofTools,
  older: Checkpoint,
  newer: Checkpoint,
): Promise<void> {
  if (older.size === 0 || older.size > newer.size) throw badProof('no such older log');
  const proof = await proveConsistency(primitives, source, older.size, newer.size);
  verifyConsistency(primitives, older, newer, proof);
}

/** @throws DirectoryError `bad-proof` unless the wire is the entry at `index`; `not-stored` */
export async function requireIncluded(
  { primitives, source }: ProofTools,
  { size, root }: Checkpoint,
  index: number,
  wire: Uint8Array,
): Promise<void> {
  const claim = { leaf: leafHash(primitives, wire), index, size, root };
  verifyInclusion(primitives, claim, await proveInclusion(primitives, source, index, size));
}
