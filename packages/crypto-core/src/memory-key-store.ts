import { CryptoError } from './errors.ts';
import { ownBatch, type KeyStore } from './key-store.ts';
import { sorted } from './sorted.ts';

/** A key store that lives and dies with the process. */
export function memoryKeyStore(): KeyStore {
  const values = new Map<string, Uint8Array>();
  let closed = false;
  const assertOpen = (): void => {
    if (closed) throw new CryptoError('disposed', 'this key store is closed');
  };
  return {
    async get(name) {
      assertOpen();
      return values.get(name)?.slice() ?? null;
    },
    async names(prefix) {
      assertOpen();
      return sorted([...values.keys()].filter((name) => name.startsWith(prefix)));
    },
    async write(batch) {
      assertOpen();
      for (const { name, value } of ownBatch(batch)) {
        if (value === null) values.delete(name);
        else values.set(name, value);
      }
    },
    async close() {
      closed = true;
      for (const value of values.values()) value.fill(0);
      values.clear();
    },
  };
}
