import { clear, createStore, get, getMany, setMany, type UseStore } from 'idb-keyval';
import { CryptoError } from '../errors.ts';

const RECORDS = 'records';
/** The vault's bytes, the key that its device key comes from, and the write salt: it names this writing. */
const KEYS = ['vault', 'key', 'writing'];

/** A key that WebCrypto keeps and does not give away. */
export type KeptKey = Parameters<typeof globalThis.crypto.subtle.sign>[1];

/** One writing of a vault as it lies in IndexedDB. */
interface VaultRecords {
  readonly vault: Uint8Array;
  readonly key: KeptKey;
  readonly writing: Uint8Array;
}

/** The records of one vault in the browser's database. */
export interface VaultDatabase {
  /** `null` where there are none. @throws CryptoError `vault-damaged` where some of them are missing */
  read(): Promise<VaultRecords | null>;
  /** The name of the newest writing, 32 bytes; `null` where there is none. */
  readWriting(): Promise<Uint8Array | null>;
  /** Replaces all of them, in one transaction, durably. @throws CryptoError `storage-full` */
  replace(records: VaultRecords): Promise<void>;
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the database of a vault. */
export function vaultDatabase(name: string): VaultDatabase {
  const store = createStore(`keytide/${name}`, RECORDS);
  const strictStore = strictly(store);
  return {
    async read() {
      const [vault, key, writing] = await getMany<unknown>(KEYS, store);
      if (vault === undefined && key === undefined && writing === undefined) return null;
      if (!(vault instanceof Uint8Array && key instanceof CryptoKey && writing instanceof Uint8Array))
        throw new CryptoError('vault-damaged', 'a part of the vault is gone from the browser');
      return { vault, key, writing };
    },
    readWriting: async () => (await get<Uint8Array>('writing', store)) ?? null,
    async replace({ vault, key, writing }) {
      try {
        const values = [vault, key, writing];
        await setMany(
          KEYS.map((record, index) => [record, values[index]]),
          strictStore,
        );
      } catch (cause) {
        const error =
          (cause as Error | null) ?? new DOMException('the browser undid a writing', 'AbortError');
        if (error.name !== 'QuotaExceededError') throw error;
        throw new CryptoError('storage-full', 'the browser has no room for the vault', { cause });
      }
    },
    clear: () => clear(strictStore),
    close: () => store('readonly', (records) => records.transaction.db.close()),
  };
}

/** The same store with transactions that are on the disk before they are complete; what throws in one undoes it. */
function strictly(store: UseStore): UseStore {
  return (mode, callback) =>
    store('readonly', (records) => {
      const options = { durability: 'strict' };
      const transaction = records.transaction.db.transaction(RECORDS, mode, options);
      try {
        return callback(transaction.objectStore(RECORDS));
      } catch (cause) {
        try {
          transaction.abort();
        } catch {
          // It is over already.
        }
        throw cause;
      }
    });
}
