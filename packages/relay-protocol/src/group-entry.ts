import { concatBytes } from '@keytide/crypto-core';
import type { GroupEntry } from './relay-frames.ts';

/**
 * One entry of a group's log as it is stored on devices and hashed: kind (0 envelope, 1 epoch statement), then the
 * bytes. It is the leaf of the group log's RFC 9162 tree (docs/spec/floor.md).
 */
export function encodeGroupEntry(entry: GroupEntry): Uint8Array {
  return concatBytes(Uint8Array.of(entry.kind === 'statement' ? 1 : 0), entry.bytes);
}
