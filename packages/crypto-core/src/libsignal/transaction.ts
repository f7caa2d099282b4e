import type { KeyStore, KeyStoreChange } from '../key-store.ts';

/** Reads through to a store and holds back what is written, so that one act becomes one batch, or nothing. */
export interface Transaction {
  get(name: string): Promise<Uint8Array | null>;
  put(name: string, value: Uint8Array | null): void;
  /** Everything put so far. */
  changes(): KeyStoreChange[];
  /** Makes `failure` what went wrong, whatever libsignal says of the error it was thrown. */
  fail(failure: unknown): never;
  /** Throws what went wrong with the store or was given to `fail`, if anything. */
  throwFailure(): void;
}

export function transaction(store: KeyStore): Transaction {
  const written = new Map<string, Uint8Array | null>();
  let failed: { readonly failure: unknown } | null = null;
  const fail = (failure: unknown): never => {
    failed ??= { failure };
    throw failure;
  };
  return {
    async get(name) {
      const value = written.get(name);
      return value === undefined ? store.get(name).catch(fail) : value;
    },
    put(name, value) {
      written.set(name, value);
    },
    changes: () => [...written].map(([name, value]) => ({ name, value })),
    fail,
    throwFailure() {
      if (failed !== null) throw failed.failure;
    },
  };
}
