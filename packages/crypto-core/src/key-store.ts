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
  /** All changes or none, in order, and on durable storage before it resolves. */
  write(batch: readonly KeyStoreChange[]): Promise<void>;
  /** Finishes what was begun and wipes what is in memory; every later call rejects with `disposed`. Idempotent. */
  close(): Promise<void>;
}
