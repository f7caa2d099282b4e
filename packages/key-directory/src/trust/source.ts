import type { DeviceId, MemberId, Primitives } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { deviceKey, memberKey, organisationKey } from '../map/key.ts';
import type { LogCheckpoint } from '../note/checkpoint-text.ts';
import type { HashSource } from '../tree/hash-source.ts';

/** Whose head. */
export type HeadName =
  | { readonly of: 'organisation' }
  | { readonly of: 'member'; readonly id: MemberId }
  | { readonly of: 'device'; readonly id: DeviceId };

/** What proofs are made from: a relay, which is trusted for availability only. Rejects where it is out of reach. */
export interface ProofSource extends HashSource {
  /** The way to a head in the map of the checkpoint of `size`, for `verifyLookup`. */
  readLookup(name: HeadName, size: number): Promise<Uint8Array>;
  /** The wire of one entry; `null` when there is none. */
  readEntry(index: number): Promise<Uint8Array | null>;
}

/** What proving takes. */
export interface ProofTools {
  readonly primitives: Primitives;
  readonly source: ProofSource;
}

/** A checkpoint of a membership log with the root of its map. */
export interface MapCheckpoint extends LogCheckpoint {
  readonly mapRoot: Uint8Array;
}

/** Where a head is in the map: 32 bytes. */
export function headKey(primitives: Primitives, name: HeadName): Uint8Array {
  if (name.of === 'organisation') return organisationKey(primitives);
  return name.of === 'member' ? memberKey(primitives, name.id) : deviceKey(primitives, name.id);
}

/** One entry's wire. @throws DirectoryError `not-stored` */
export async function requireEntry(source: ProofSource, index: number): Promise<Uint8Array> {
  const wire = await source.readEntry(index);
  if (wire === null) throw new DirectoryError('not-stored', `entry ${index} is withheld`);
  return wire;
}
