import type { KeyStore } from '@keytide/crypto-core';

/** A key store, and whether an error is one that it has thrown. */
export interface NotedKeyStore {
  readonly store: KeyStore;
  failedWith(error: unknown): boolean;
}

/** Notes what a key store fails with: that is no fault of what was to be kept, which must come again. */
export function notedKeyStore(keyStore: KeyStore): NotedKeyStore {
  const failures = new WeakSet<object>();
  const noted = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failures.add(error as object);
      throw error;
    }
  };
  const store: KeyStore = {
    get: (name) => noted(keyStore.get(name)),
    names: (prefix) => noted(keyStore.names(prefix)),
    write: (batch) => noted(keyStore.write(batch)),
    close: () => keyStore.close(),
  };
  return { store, failedWith: (error) => typeof error === 'object' && error !== null && failures.has(error) };
}
