import { CryptoError } from '../errors.ts';
import type { Primitives, Random } from '../primitives.ts';
import type { Secret } from '../secret.ts';
import { parseVaultFile } from '../vault/vault-file.ts';
import {
  DEFAULT_VAULT_KDF,
  newVaultHeader,
  unlockVault,
  type UnlockShareSource,
  type VaultKdf,
} from '../vault/vault-key.ts';
import { vaultKeyStore, type Vault } from '../vault/vault-key-store.ts';
import { argon2id } from './argon2id.ts';
import { sharedVault } from './shared-vault.ts';
import { vaultDatabase } from './vault-records.ts';

/** Which vault to open in a browser, and with what. */
export interface BrowserKeyStoreOptions {
  /** One vault a name and origin. */
  readonly name: string;
  /** Whether to make a new vault where there is none. Never replaces one that cannot be opened. */
  readonly create: boolean;
  readonly primitives: Primitives;
  readonly random: Random;
  /** Not empty. Without one, whoever can run scripts in this origin, or copy the browser's profile, can open the vault. */
  readonly passphrase?: string;
  /** For a new vault with a passphrase; an old one remembers its own. */
  readonly kdf?: VaultKdf;
  /**
   * A second secret of 16 bytes or more, kept elsewhere, without which the vault does not open; stays the caller's. Or
   * where to get it, if the vault needs one.
   */
  readonly unlockShare?: Secret | UnlockShareSource;
}

/**
 * Opens a key store in the browser's IndexedDB (docs/spec/vault.md). Tabs of one origin share it: each sees what the
 * others wrote, and writings take turns. Asks the browser to keep the data, and goes on whatever it answers.
 * @throws CryptoError `vault-missing` (also from a later call, once another tab has erased it), `wrong-passphrase`
 * (also for one that is not needed, and none where one is), `unlock-share-needed`, `vault-damaged` (also where the
 * browser lost a part), `malformed` (a new vault's cost, passphrase or unlock share), `unsupported-version`,
 * `unsupported-runtime`; `storage-full` from `write`; errors of IndexedDB
 * as they are
 */
export async function openBrowserKeyStore(options: BrowserKeyStoreOptions): Promise<Vault> {
  assertSupported();
  const { name, primitives, random } = options;
  const secrets = { passphrase: options.passphrase ?? null, unlockShare: options.unlockShare ?? null };
  void keepData();
  return oneByOne(`${name}/opening`, async () => {
    const database = vaultDatabase(name);
    try {
      const stored = await database.read();
      if (stored === null && !options.create)
        throw new CryptoError('vault-missing', 'there is no vault here');
      const cost = { kdf: options.kdf ?? DEFAULT_VAULT_KDF, needsDeviceKey: true };
      const header =
        stored === null ? newVaultHeader(random, secrets, cost) : parseVaultFile(primitives, stored.vault);
      const unlocking = await unlockVault(primitives, argon2id, header, secrets);
      const writing = <T>(job: () => Promise<T>): Promise<T> => oneByOne(name, job);
      const place = sharedVault({ primitives, random, database, header, ...unlocking, writing });
      if (stored === null) await place.create();
      else await place.read(() => null);
      return vaultKeyStore(place);
    } catch (cause) {
      await database.close();
      throw cause;
    }
  });
}

/** Removes a vault. Tabs that have it open get `vault-missing` from then on. */
export async function eraseBrowserKeyStore(name: string): Promise<void> {
  assertSupported();
  await oneByOne(`${name}/opening`, () =>
    oneByOne(name, async () => {
      const database = vaultDatabase(name);
      await database.clear();
      await database.close();
    }),
  );
}

/** Runs `job` while no other tab runs one of this name; the browser lets go of the lock of a tab that ends. */
function oneByOne<T>(name: string, job: () => Promise<T>): Promise<T> {
  return globalThis.navigator.locks.request(`keytide/${name}`, job) as Promise<T>;
}

/** Not waited for: a browser may ask the person, who may never answer. */
async function keepData(): Promise<void> {
  const { storage } = globalThis.navigator as { storage?: { persist?: () => Promise<boolean> } };
  await storage?.persist?.().catch(() => false);
}

function assertSupported(): void {
  const { indexedDB, crypto, navigator } = globalThis as Record<string, unknown> & typeof globalThis;
  if (indexedDB === undefined || crypto?.subtle === undefined || navigator?.locks === undefined)
    throw new CryptoError(
      'unsupported-runtime',
      'a vault needs IndexedDB, WebCrypto and Web Locks: a secure page',
    );
}
