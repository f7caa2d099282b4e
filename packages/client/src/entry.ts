import { concatBytes } from '@keytide/crypto-core';
import type { GroupEntry } from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';

const STATEMENT = 1;

/**
 * One entry of a group's log as it is stored and hashed: kind (0 envelope, 1 epoch statement), then the
 * bytes. It is the leaf of the group log's RFC 9162 tree.
 */
export function encodeEntry(entry: GroupEntry): Uint8Array {
  return concatBytes(Uint8Array.of(entry.kind === 'statement' ? STATEMENT : 0), entry.bytes);
}

/** Undoes `encodeEntry`. @throws ClientError `store-damaged` */
export function decodeEntry(bytes: Uint8Array): GroupEntry {
  const kind = bytes[0];
  if (kind !== 0 && kind !== STATEMENT)
    throw new ClientError('store-damaged', 'a stored entry of no known kind');
  return { kind: kind === STATEMENT ? 'statement' : 'envelope', bytes: bytes.slice(1) };
}
