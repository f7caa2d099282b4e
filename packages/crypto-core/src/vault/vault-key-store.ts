import { CryptoError } from '../errors.ts';
import { ownBatch, type KeyStore, type KeyStoreChange } from '../key-store.ts';
import type { Secret } from '../secret.ts';
import { sorted } from '../sorted.ts';
import type { VaultEntries } from './vault-file.ts';
import { assertUnlockShare } from './vault-key.ts';

/** Where an open vault is kept: what is the same for a file, a browser's database and a phone's blobs. */
export interface VaultPlace {
  /** What `look` says of the newest content. */
  read<T>(look: (entries: VaultEntries) => T): Promise<T>;
  /** Puts what `change` makes of the newest content durably in its place. One call at a time. */
  update(change: (entries: VaultEntries) => VaultEntries): Promise<void>;
  /** Whether it needs an unlock share, as this opening knows it. */
  needsUnlockShare(): boolean;
  /** The proof of its passphrase for a context. */
  prove(context: Uint8Array): Secret;
  /** Writes the newest content under a root with this unlock share, or without one. */
  rekey(share: Secret | null): Promise<void>;
  /** Wipes what is in memory and lets others open the vault. */
  close(): Promise<void>;
}

/** A key store that is a vault: what opens it can be changed while it is open. */
export interface Vault extends KeyStore {
  /** Whether it does not open without an unlock share. */
  readonly needsUnlockShare: boolean;
  /** A proof of the passphrase for a context (docs/spec/unlock-lease.md), 32 bytes. @throws CryptoError `disposed` */
  prove(context: Uint8Array): Secret;
  /**
   * Makes it need this unlock share, or none: all of it is written anew, in one step, and what was there before is
   * overwritten where the place allows that. Durable when it resolves. The share stays the caller's.
   * @throws CryptoError `malformed` for a share under 16 bytes, `disposed`; as `write`
   */
  rekey(share: Secret | null): Promise<void>;
}

/** The key store over an open vault. Batches that arrive during a writing go together into the next. */
export function vaultKeyStore(place: VaultPlace): Vault {
  let closing: Promise<void> | null = null;
  let waiting: (readonly KeyStoreChange[])[] = [];
  let lastWriting: Promise<void> = Promise.resolve();
  let nextWriting: Promise<void> | null = null;
  let rekeying: Promise<void> = Promise.resolve();

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
    await rekeying.catch(() => null);
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
    get needsUnlockShare() {
      return place.needsUnlockShare();
    },
    prove(context) {
      assertOpen();
      return place.prove(context);
    },
    async rekey(share) {
      assertOpen();
      if (share !== null) assertUnlockShare(share);
      rekeying = place.rekey(share);
      await rekeying;
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
