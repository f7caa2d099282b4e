/** The records of a vault as any script of the origin can read them. */
export interface RawRecords {
  readonly bytes: Uint8Array[];
  /** Of each key: whether it can be taken out of the browser, and what an attempt says. */
  readonly keys: { readonly extractable: boolean; readonly attempt: string }[];
}

/** Reads all there is, without any of our code. */
export async function rawRecords(name: string): Promise<RawRecords> {
  const values = await onRecords(name, 'readonly', (records) => records.getAll());
  const keys = values.filter((value) => value instanceof CryptoKey);
  return {
    bytes: values.filter((value) => value instanceof Uint8Array),
    keys: await Promise.all(
      keys.map(async (key) => ({
        extractable: key.extractable,
        attempt: await crypto.subtle.exportKey('raw', key).then(
          () => 'exported',
          (error: Error) => error.name,
        ),
      })),
    ),
  };
}

/** Removes one record, as a browser that loses a part would. */
export async function removeRawRecord(name: string, record: string): Promise<void> {
  await onRecords(name, 'readwrite', (records) => records.delete(record));
}

/** Puts the bytes of an earlier writing in the place of the stored vault. */
export async function putRawVault(name: string, vault: Uint8Array): Promise<void> {
  await onRecords(name, 'readwrite', (records) => records.put(vault, 'vault'));
}

/** Changes one bit of the stored vault. */
export async function flipRawBit(name: string, at: number): Promise<void> {
  const vault = (await onRecords(name, 'readonly', (records) => records.get('vault'))) as Uint8Array;
  vault[at] = (vault[at] as number) ^ 0x20;
  await putRawVault(name, vault);
}

/** What is used here of IndexedDB, whose types are not part of this project. */
interface RawRequest<T> {
  readonly result: T;
  readonly error: Error | null;
  addEventListener(event: 'success' | 'error', listener: () => void): void;
}
interface RawStore {
  getAll(): RawRequest<unknown[]>;
  get(record: string): RawRequest<unknown>;
  put(value: Uint8Array, record: string): RawRequest<unknown>;
  delete(record: string): RawRequest<unknown>;
}
interface RawDatabase {
  transaction(store: string, mode: string): { objectStore(name: string): RawStore };
  close(): void;
}
declare const indexedDB: { open(name: string): RawRequest<RawDatabase> };

async function onRecords<T>(
  name: string,
  mode: 'readonly' | 'readwrite',
  act: (records: RawStore) => RawRequest<T>,
): Promise<T> {
  const database = await settled(indexedDB.open(`keytide/${name}`));
  const result = await settled(act(database.transaction('records', mode).objectStore('records')));
  database.close();
  return result;
}

function settled<T>(request: RawRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('no reason')));
  });
}
