import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CryptoError } from '../errors.ts';
import type { KeyStore, KeyStoreChange } from '../key-store.ts';
import type { Random } from '../primitives.ts';
import type { Secret } from '../secret.ts';
import { replaceFile } from './replace-file.ts';
import {
  openVaultFile,
  parseVaultFile,
  sealVaultFile,
  type VaultEntries,
  type VaultHeader,
} from './vault-file.ts';
import { DEFAULT_VAULT_KDF, deriveVaultRoot, type VaultKdf } from './vault-key.ts';
import { acquireVaultLock, type VaultLock } from './vault-lock.ts';

/** Which vault to open, and with what. */
export interface FileVaultOptions {
  readonly path: string;
  readonly passphrase: string;
  /** Whether to make a new vault, and its folder, where there is none. */
  readonly create: boolean;
  readonly random: Random;
  /** For a new vault; an old one remembers its own. */
  readonly kdf?: VaultKdf;
  /** A second secret, kept elsewhere, without which the vault does not open. Stays the caller's. */
  readonly unlockShare?: Secret;
}

/**
 * Opens a key store that is one encrypted file (docs/spec/vault.md), rewritten whole for each batch: meant for
 * keys and small state. Everything is in memory while it is open. Putting back an older copy of the file is not
 * noticed.
 * @throws CryptoError `vault-missing`, `vault-locked`, `wrong-passphrase` (or wrong unlock share),
 * `unlock-share-needed`, `vault-damaged`, `unsupported-version`, `too-large`; errors of the file system as they are
 */
export async function openFileVault(input: FileVaultOptions): Promise<KeyStore> {
  if (input.create) await mkdir(dirname(input.path), { recursive: true, mode: 0o700 });
  else if ((await readIfThere(input.path)) === null) throw vaultMissing();
  const lock = await acquireVaultLock(`${input.path}.lock`, input.random);
  try {
    return await openLocked(input, lock);
  } catch (cause) {
    await lock.release();
    throw cause;
  }
}

async function openLocked(input: FileVaultOptions, lock: VaultLock): Promise<KeyStore> {
  const bytes = await readIfThere(input.path);
  if (bytes === null && !input.create) throw vaultMissing();
  const file = bytes === null ? null : parseVaultFile(bytes);
  const unlockShare = input.unlockShare ?? null;
  if (file !== null && file.needsUnlockShare !== (unlockShare !== null))
    throw new CryptoError('unlock-share-needed', 'this vault and this unlock share do not go together');
  const header: VaultHeader = file ?? {
    kdf: input.kdf ?? DEFAULT_VAULT_KDF,
    needsUnlockShare: unlockShare !== null,
    salt: input.random(16),
  };
  const { kdf, salt } = header;
  const root = await deriveVaultRoot({ passphrase: input.passphrase, unlockShare, kdf, salt });
  const state: VaultState = {
    path: input.path,
    random: input.random,
    lock,
    header,
    root,
    entries: file === null ? new Map() : openVaultFile(file, root),
    generation: file?.generation ?? 0,
  };
  if (file === null) await writeState(state, state.entries);
  return vaultStore(state);
}

interface VaultState {
  readonly path: string;
  readonly random: Random;
  readonly lock: VaultLock;
  readonly header: VaultHeader;
  readonly root: Uint8Array;
  entries: VaultEntries;
  generation: number;
}

function vaultStore(state: VaultState): KeyStore {
  let closed = false;
  /** Batches that arrive while the file is being written go together into the next writing. */
  let waiting: KeyStoreChange[][] = [];
  let lastWriting: Promise<void> = Promise.resolve();
  let nextWriting: Promise<void> | null = null;

  const assertOpen = (): void => {
    if (closed) throw new CryptoError('disposed', 'this vault is closed');
  };
  const writeWaiting = async (): Promise<void> => {
    await lastWriting.catch(() => null);
    const batches = waiting;
    waiting = [];
    nextWriting = null;
    const entries = new Map(state.entries);
    for (const { name, value } of batches.flat()) {
      if (value === null) entries.delete(name);
      else entries.set(name, value);
    }
    lastWriting = writeState(state, entries);
    await lastWriting;
  };

  return {
    async get(name) {
      assertOpen();
      return state.entries.get(name)?.slice() ?? null;
    },
    async names(prefix) {
      assertOpen();
      return [...state.entries.keys()].filter((name) => name.startsWith(prefix)).toSorted();
    },
    async write(batch) {
      assertOpen();
      waiting.push(batch.map(({ name, value }) => ({ name, value: value?.slice() ?? null })));
      nextWriting ??= writeWaiting();
      await nextWriting;
    },
    async close() {
      if (closed) return;
      closed = true;
      await nextWriting?.catch(() => null);
      await lastWriting.catch(() => null);
      for (const value of state.entries.values()) value.fill(0);
      state.entries = new Map();
      state.root.fill(0);
      await state.lock.release();
    },
  };
}

/** Memory follows the file, never the other way round: a batch that was not written is not seen. */
async function writeState(state: VaultState, entries: VaultEntries): Promise<void> {
  const { header, root, random } = state;
  const generation = state.generation + 1;
  const bytes = sealVaultFile({ header, root, generation, entries, random });
  await state.lock.assertHeld();
  await replaceFile(state.path, bytes);
  for (const [name, value] of state.entries) if (entries.get(name) !== value) value.fill(0);
  state.entries = entries;
  state.generation = generation;
}

async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function vaultMissing(): CryptoError {
  return new CryptoError('vault-missing', 'there is no vault here');
}
