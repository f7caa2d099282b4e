/** What is used here of IndexedDB (W3C Indexed Database API 3.0), whose types are not part of this project. */
export interface Database {
  transaction(
    stores: string,
    mode: 'readonly' | 'readwrite',
    options?: { readonly durability: 'strict' | 'relaxed' },
  ): Transaction;
  createObjectStore(name: string): ObjectStore;
  close(): void;
}
interface Transaction {
  objectStore(name: string): ObjectStore;
  commit?(): void;
  abort(): void;
  readonly error: Error | null;
  addEventListener(event: 'complete' | 'abort', listener: () => void): void;
}
/** One object store within a transaction. */
export interface ObjectStore {
  put(value: unknown, key: Key): unknown;
  delete(range: unknown): unknown;
  getAll(range: unknown): Request<unknown[]>;
  count(range: unknown): Request<number>;
}
interface Request<T> {
  readonly result: T;
  readonly error: Error | null;
  addEventListener(event: 'success' | 'error' | 'upgradeneeded', listener: () => void): void;
}
type Key = readonly (string | number | readonly [])[];
interface Factory {
  open(name: string, version: number): Request<Database>;
}

/** Opens a database with one object store. @throws errors of IndexedDB as they are */
export async function openDatabase(name: string, store: string): Promise<Database> {
  const request = factory().open(name, 1);
  request.addEventListener('upgradeneeded', () => void request.result.createObjectStore(store));
  return await answerOf(request);
}

/** The keys from `first` up to and with `last`. */
export function keyRange(first: Key, last: Key): unknown {
  const { IDBKeyRange: Range } = globalThis as unknown as { IDBKeyRange: { bound(a: Key, b: Key): unknown } };
  return Range.bound(first, last);
}

/** What a request answers. */
export function answerOf<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB gave no reason')));
  });
}

/** Writes in one transaction: all of it, or none where it rejects; with `strict` it is on the disk when it resolves. */
export function writing(
  database: Database,
  store: string,
  durability: 'strict' | 'relaxed',
  write: (records: ObjectStore) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, 'readwrite', { durability });
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', () =>
      reject(transaction.error ?? new Error('the browser undid a writing')),
    );
    try {
      write(transaction.objectStore(store));
      transaction.commit?.();
    } catch (error) {
      transaction.abort();
      reject(error);
    }
  });
}

function factory(): Factory {
  return (globalThis as unknown as { indexedDB: Factory }).indexedDB;
}
