import { CryptoError } from '../errors.ts';
import { ownBatch, type KeyStore, type KeyStoreChange } from '../key-store.ts';
import { sorted } from '../sorted.ts';
import type { VaultEntries } from './vault-file.ts';

/** Where an open vault is kept: what is the same for a file, a browser's database and a phone's blobs. */
export interface VaultPlace {
  /** What `look` says of the newest content. */
  read<T>(look: (entries: VaultEntries) => T): Promise<T>;
  /** Puts what `change` makes of the newest content durably in its place. One call at a time. */
  update(change: (entries: VaultEntries) => VaultEntries): Promise<void>;
  /** Wipes what is in memory and lets others open the vault. */
  close(): Promise<void>;
}

/** The key store over an open vault. Batches that arrive during a writing go together into the next. */
export function vaultKeyStore(place: VaultPlace): KeyStore {
  let closing: Promise<void> | null = null;
  let waiting: (readonly KeyStoreChange[])[] = [];
  let lastWriting: Promise<void> = Promise.resolve();
  let nextWriting: Promise<void> | null = null;

  const assertOpen = (): void => {
    if (closing !== null) throw new CryptoError('disposed', 'this vault is closed');
  };
  const writeWaiting = async (): Promise<void> => {
    await lastWriting.catch(() => null);
    const changes = waiting.flat();
    waiting = [];
    nextWriting = null;
    lastWriting = place.update((entries) => changed(entries, changes));
    await lastWriting;
  };
  const close = async (): Promise<void> => {
    await nextWriting?.catch(() => null);
    await lastWriting.catch(() => null);
    await place.close();
  };

  return {
    async get(name) {
      assertOpen();
      return place.read((entries) => entries.get(name)?.slice() ?? null);
    },
    async names(prefix) {
      assertOpen();
      return place.read((entries) => sorted([...entries.keys()].filter((name) => name.startsWith(prefix))));
    },
    async write(batch) {
      assertOpen();
      waiting.push(ownBatch(batch));
      nextWriting ??= writeWaiting();
      await nextWriting;
    },
    close: () => (closing ??= close()),
  };
}

function changed(entries: VaultEntries, changes: readonly KeyStoreChange[]): VaultEntries {
  const next = new Map(entries);
  for (const { name, value } of changes) {
    if (value === null) next.delete(name);
    else next.set(name, value);
  }
  return next;
}
