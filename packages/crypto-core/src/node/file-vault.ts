import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CryptoError } from '../errors.ts';
import type { Random } from '../primitives.ts';
import type { Secret } from '../secret.ts';
import { replaceAndErase, replaceFile } from './replace-file.ts';
import { soleVault } from '../vault/sole-vault.ts';
import { openVaultFile, parseVaultFile } from '../vault/vault-file.ts';
import {
  DEFAULT_VAULT_KDF,
  newVaultHeader,
  unlockVault,
  type UnlockShareSource,
  type VaultKdf,
} from '../vault/vault-key.ts';
import { vaultKeyStore, type Vault } from '../vault/vault-key-store.ts';
import { argon2id } from './argon2id.ts';
import { nodePrimitives } from './primitives.ts';
import { acquireVaultLock, type VaultLock } from './vault-lock.ts';

/** Which vault to open, and with what. */
export interface FileVaultOptions {
  readonly path: string;
  /** Not empty. */
  readonly passphrase: string;
  /** Whether to make a new vault, and its folder, where there is none. */
  readonly create: boolean;
  readonly random: Random;
  /** For a new vault; an old one remembers its own. */
  readonly kdf?: VaultKdf;
  /**
   * A second secret of 16 bytes or more, kept elsewhere, without which the vault does not open; stays the caller's. Or
   * where to get it, if the vault needs one.
   */
  readonly unlockShare?: Secret | UnlockShareSource;
}

/**
 * Opens a key store that is one encrypted file (docs/spec/vault.md), rewritten whole for each batch: meant for
 * keys and small state. Everything is in memory while it is open. Putting back an older copy of the file is not
 * noticed.
 * @throws CryptoError `vault-missing`, `vault-locked`, `wrong-passphrase` (or wrong unlock share),
 * `unlock-share-needed`, `device-key-lost` (a vault of another kind), `vault-damaged`, `unsupported-version`,
 * `too-large`, `malformed` (a new vault's cost, passphrase or unlock share); errors of the file system, and of whatever
 * gets the unlock share, as they are
 */
export async function openFileVault(input: FileVaultOptions): Promise<Vault> {
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

async function openLocked(input: FileVaultOptions, lock: VaultLock): Promise<Vault> {
  const bytes = await readIfThere(input.path);
  if (bytes === null && !input.create) throw vaultMissing();
  const file = bytes === null ? null : parseVaultFile(nodePrimitives, bytes);
  if (file?.needsDeviceKey === true)
    throw new CryptoError('device-key-lost', 'this vault opens only on the device that made it');
  const secrets = { passphrase: input.passphrase, unlockShare: input.unlockShare ?? null };
  const cost = { kdf: input.kdf ?? DEFAULT_VAULT_KDF, needsDeviceKey: false };
  const header = file ?? newVaultHeader(input.random, secrets, cost);
  const { stretched, unlocked: root } = await unlockVault(nodePrimitives, argon2id, header, secrets);
  const place = soleVault({
    primitives: nodePrimitives,
    random: input.random,
    header,
    root,
    stretched,
    rootFor: async (unlocked) => unlocked.slice(),
    entries: file === null ? new Map() : openVaultFile(nodePrimitives, file, root),
    generation: file?.generation ?? 0,
    async put(written, _, isRekeyed) {
      await lock.assertHeld();
      await (isRekeyed ? replaceAndErase : replaceFile)(input.path, written);
    },
    release: () => lock.release(),
  });
  if (file === null) await place.update((entries) => entries);
  return vaultKeyStore(place);
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
