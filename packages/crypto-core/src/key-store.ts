import { copyBytes } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { encodeUtf8 } from './utf8.ts';

/** One change of a batch: the new value of a name, or `null` to delete it. */
export interface KeyStoreChange {
  readonly name: string;
  readonly value: Uint8Array | null;
}

/**
 * Where a device keeps its keys and its state. Every adapter passes one conformance suite. Values are
 * copied on the way in and out.
 */
export interface KeyStore {
  /** The value, or `null` where there is none. */
  get(name: string): Promise<Uint8Array | null>;
  /** The names that start with `prefix`, in code unit order. */
  names(prefix: string): Promise<string[]>;
  /**
   * All changes or none, in order, and on durable storage before it resolves. A batch that is rejected, or cut off
   * by a crash, was written whole or not at all; `get` tells which.
   * @throws CryptoError `malformed` for a name with a lone surrogate; what the adapter names
   */
  write(batch: readonly KeyStoreChange[]): Promise<void>;
  /** Finishes what was begun and wipes what is in memory; every later call rejects with `disposed`. Idempotent. */
  close(): Promise<void>;
}

/** A copy of a batch that the caller cannot change any more. @throws CryptoError `malformed` */
export function ownBatch(batch: readonly KeyStoreChange[]): readonly KeyStoreChange[] {
  for (const { name } of batch)
    if (encodeUtf8(name) === null) throw new CryptoError('malformed', 'a name that has no UTF-8');
  return batch.map(({ name, value }) => ({ name, value: value ? copyBytes(value) : null }));
}
