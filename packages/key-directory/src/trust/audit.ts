import { equalBytes, type Random } from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import { verifyLookup } from '../map/lookup.ts';
import { requireConsistent } from './in-log.ts';
import { headKey, type HeadName, type MapCheckpoint, type ProofTools } from './source.ts';

/** A head that is believed under some checkpoint, and what its history follows from. */
export interface KnownHead {
  readonly name: HeadName;
  readonly leaf: Uint8Array;
  /** The entry that it came with, and the newest that changed it. */
  readonly addedAt: number;
  readonly since: number;
}

/** A size from `least` to `most`, both included, each as likely as the others; they are below 2^48 apart. */
export function randomSize(random: Random, least: number, most: number): number {
  const count = most - least + 1;
  const limit = Math.floor(2 ** 48 / count) * count;
  for (;;) {
    const drawn = random(6).reduce((value, byte) => value * 256 + byte, 0);
    if (drawn < limit) return least + (drawn % count);
  }
}

/**
 * Holds a checkpoint of the past to what is believed now: its root, rebuilt from the tiles, is that of the start of
 * the present log, and its map says of the known heads what their own history says: absent before they came, the same
 * since they last changed. Nothing is replayed.
 * @throws DirectoryError `bad-proof` where it does not, and as `verifyLookup`; `not-stored`
 */
export async function auditPast(
  tools: ProofTools,
  present: MapCheckpoint,
  past: MapCheckpoint,
  known: readonly KnownHead[],
): Promise<void> {
  const { primitives, source } = tools;
  if (past.origin !== present.origin) throw badProof('a checkpoint of another log');
  await requireConsistent(tools, past, present);
  for (const { name, leaf, addedAt, since } of known) {
    const isBefore = past.size <= addedAt;
    if (!isBefore && past.size <= since) continue;
    const proof = await source.readLookup(name, past.size);
    const found = verifyLookup(primitives, past.mapRoot, headKey(primitives, name), proof);
    const isSame = isBefore ? found === null : found !== null && equalBytes(found, leaf);
    if (!isSame) throw badProof('the map of the past says something else');
  }
}
