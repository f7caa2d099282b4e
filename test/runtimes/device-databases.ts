/** The databases of a device store as any script of the origin can get at them: the vault's, and that of the journals. */
const databasesOf = (name: string): readonly (readonly [string, string])[] => [
  [`keytide/${name}`, 'records'],
  [`keytide/${name}/journals`, 'rows'],
];

/** Copies a device store, with the key that the browser gives nobody, as a thief of the whole profile would. */
export async function copyStore(from: string, to: string): Promise<void> {
  for (const [i, [name, store]] of databasesOf(from).entries()) {
    const source = await openRaw(name, store);
    const records = source.transaction(store, 'readonly').objectStore(store);
    const [keys, values] = await Promise.all([settled(records.getAllKeys()), settled(records.getAll())]);
    source.close();
    const copy = await openRaw(databasesOf(to)[i]?.[0] as string, store);
    const written = copy.transaction(store, 'readwrite').objectStore(store);
    await Promise.all(keys.map((key, n) => settled(written.put(values[n], key))));
    copy.close();
  }
}

/** The keys of every record that is left of a device store. */
export async function keptKeys(name: string): Promise<unknown[]> {
  const kept: unknown[] = [];
  for (const [database, store] of databasesOf(name)) {
    const source = await openRaw(database, store);
    kept.push(...(await settled(source.transaction(store, 'readonly').objectStore(store).getAllKeys())));
    source.close();
  }
  return kept;
}

async function openRaw(name: string, store: string): Promise<RawDatabase> {
  const request = indexedDB.open(name);
  request.addEventListener('upgradeneeded', () => void request.result.createObjectStore(store));
  return await settled(request);
}

function settled<T>(request: RawRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB gave no reason')));
  });
}

/** What is used here of IndexedDB, whose types are not part of this project. */
interface RawRequest<T> {
  readonly result: T;
  readonly error: Error | null;
  addEventListener(event: 'success' | 'error' | 'upgradeneeded', listener: () => void): void;
}
interface RawStore {
  getAll(): RawRequest<unknown[]>;
  getAllKeys(): RawRequest<unknown[]>;
  put(value: unknown, key: unknown): RawRequest<unknown>;
}
interface RawDatabase {
  transaction(store: string, mode: string): { objectStore(name: string): RawStore };
  createObjectStore(name: string): RawStore;
  close(): void;
}
declare const indexedDB: { open(name: string): RawRequest<RawDatabase> };
