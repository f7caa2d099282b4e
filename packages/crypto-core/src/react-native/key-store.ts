import { equalBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { soleVault } from '../vault/sole-vault.ts';
import { openVaultFile, type VaultEntries, type VaultFile } from '../vault/vault-file.ts';
import {
  bindToDevice,
  DEFAULT_VAULT_KDF,
  newVaultHeader,
  unlockVault,
  type UnlockShareSource,
  type VaultHeader,
} from '../vault/vault-key.ts';
import { vaultKeyStore, type Vault, type VaultPlace } from '../vault/vault-key-store.ts';
import { keepDeviceKey, readDeviceKey } from './device-key.ts';
import type { NativeBlobs, NativePorts } from './ports.ts';
import { blobName, deleteBlobs, readBlobs } from './vault-blobs.ts';

/** Which vault to open on a phone, and with what. */
export interface NativeKeyStoreOptions {
  /** Of the item in the keystore; the blobs are `NAME.0` and `NAME.1`. */
  readonly name: string;
  /** Whether to make a new vault where there is none. Never replaces one that cannot be opened. */
  readonly create: boolean;
  /**
   * A second secret of 16 bytes or more, kept elsewhere, without which the vault does not open; stays the caller's. Or
   * where to get it, if the vault needs one: there is no passphrase here, so its proof is one that the blobs can make.
   */
  readonly unlockShare?: Secret | UnlockShareSource;
}

/**
 * Opens a key store whose root key the phone's keystore keeps and whose content lies, encrypted, in blobs
 * (docs/spec/vault.md). Everything is in memory while it is open. One process at a time: an app extension must not
 * open the vault of its app.
 * @throws CryptoError `vault-missing`, `vault-locked` (open already), `device-key-lost` (nothing is replaced: the app
 * asks the person, then `eraseNativeKeyStore` and join again), `unlock-share-needed`, `wrong-passphrase` (wrong unlock
 * share), `vault-damaged` (also where the key is there and the blobs are gone), `unsupported-version`, `too-large`,
 * `malformed` (a new vault's unlock share);
 * errors of the ports as they are, and then a retry may help
 */
export async function openNativeKeyStore(ports: NativePorts, options: NativeKeyStoreOptions): Promise<Vault> {
  const release = claim(ports.blobs, options.name);
  try {
    return await openClaimed(ports, options, release);
  } catch (cause) {
    release();
    throw cause;
  }
}

/**
 * Removes a vault for good: first its key from the keystore, which makes what flash memory still holds of the blobs
 * unreadable, then the blobs. @throws CryptoError `vault-locked` while it is open; errors of the ports as they are,
 * and then a retry is needed
 */
export async function eraseNativeKeyStore(ports: NativePorts, name: string): Promise<void> {
  const release = claim(ports.blobs, name);
  try {
    await ports.secureItems.delete(name);
    await deleteBlobs(ports.blobs, name);
  } finally {
    release();
  }
}

async function openClaimed(
  ports: NativePorts,
  options: NativeKeyStoreOptions,
  release: () => void,
): Promise<Vault> {
  const { primitives, secureItems, blobs } = ports;
  const { name } = options;
  const item = await readDeviceKey(secureItems, name);
  // A key whose vault was never finished belongs to an opening that never came to its end.
  const isUnfinished = item !== null && !item.isComplete;
  const files = isUnfinished ? [] : await readBlobs(primitives, blobs, name);
  const [newest] = files;
  if (newest === undefined) {
    if (item !== null && !isUnfinished)
      throw new CryptoError('vault-damaged', 'the key of this vault is there, and its content is gone');
    if (!options.create) throw new CryptoError('vault-missing', 'there is no vault here');
    return createVault(ports, options, release);
  }
  if (item === null || !equalBytes(item.salt, newest.salt))
    throw new CryptoError('device-key-lost', 'the keystore has no key for this vault');
  const vault = await openNewest(ports, options, files, item.deviceKey);
  item.deviceKey.fill(0);
  const place = placeOf(ports, name, vault, release);
  await blobs.delete(blobName(name, vault.generation + 1)); // left by a crash
  return vaultKeyStore(place);
}

async function createVault(
  ports: NativePorts,
  options: NativeKeyStoreOptions,
  release: () => void,
): Promise<Vault> {
  const { random, secureItems, blobs } = ports;
  const { name } = options;
  const secrets = { passphrase: null, unlockShare: options.unlockShare ?? null };
  const header = newVaultHeader(random, secrets, { kdf: DEFAULT_VAULT_KDF, needsDeviceKey: true });
  const deviceKey = random(32);
  await keepDeviceKey(secureItems, name, { isComplete: false, salt: header.salt, deviceKey });
  await deleteBlobs(blobs, name);
  const keys = await deriveRoot(ports, options, header, deviceKey);
  const place = placeOf(ports, name, { header, ...keys, entries: new Map(), generation: 0 }, release);
  await place.update((entries) => entries);
  await keepDeviceKey(secureItems, name, { isComplete: true, salt: header.salt, deviceKey });
  deviceKey.fill(0);
  return vaultKeyStore(place);
}

async function deriveRoot(
  { primitives }: NativePorts,
  options: NativeKeyStoreOptions,
  header: VaultHeader,
  deviceKey: Uint8Array,
): Promise<Pick<OpenedVault, 'root' | 'stretched'>> {
  const secrets = { passphrase: null, unlockShare: options.unlockShare ?? null };
  const { stretched, unlocked } = await unlockVault(primitives, null, header, secrets);
  const root = bindToDevice(primitives, unlocked, deviceKey);
  unlocked.fill(0);
  return { root, stretched };
}

/**
 * The newest writing that is whole: what was cut off was never said to be written. Each has a root of its own: one of
 * them may need an unlock share, and the other not.
 */
async function openNewest(
  ports: NativePorts,
  options: NativeKeyStoreOptions,
  files: readonly VaultFile[],
  deviceKey: Uint8Array,
): Promise<OpenedVault> {
  let damage: unknown = null;
  for (const file of files) {
    const keys = await deriveRoot(ports, options, file, deviceKey);
    try {
      const entries = openVaultFile(ports.primitives, file, keys.root);
      return { header: file, ...keys, entries, generation: file.generation };
    } catch (error) {
      keys.root.fill(0);
      if ((error as CryptoError).code !== 'vault-damaged') throw error;
      damage = error;
    }
  }
  throw damage;
}

interface OpenedVault {
  readonly header: VaultHeader;
  readonly root: Uint8Array;
  readonly stretched: Uint8Array;
  readonly entries: VaultEntries;
  readonly generation: number;
}

function placeOf(
  { primitives, random, secureItems, blobs }: NativePorts,
  name: string,
  vault: OpenedVault,
  release: () => void,
): VaultPlace {
  return soleVault({
    primitives,
    random,
    ...vault,
    async rootFor(unlocked) {
      const item = await readDeviceKey(secureItems, name);
      if (item === null || !equalBytes(item.salt, vault.header.salt))
        throw new CryptoError('device-key-lost', 'the keystore has no key for this vault');
      const root = bindToDevice(primitives, unlocked, item.deviceKey);
      item.deviceKey.fill(0);
      return root;
    },
    async put(bytes, generation) {
      try {
        await blobs.write(blobName(name, generation), bytes);
      } catch (cause) {
        // So that a batch which was refused does not turn up later; the writing before is untouched.
        await blobs.delete(blobName(name, generation)).catch(() => null);
        throw cause;
      }
    },
    tidy: (generation) => blobs.delete(blobName(name, generation + 1)),
    release: async () => release(),
  });
}

/** The vaults that are open, so that two openings in one app do not write over each other. */
const openNames = new WeakMap<NativeBlobs, Set<string>>();

function claim(blobs: NativeBlobs, name: string): () => void {
  const names = openNames.get(blobs) ?? new Set();
  if (names.has(name)) throw new CryptoError('vault-locked', 'this vault is open already');
  openNames.set(blobs, names.add(name));
  return () => names.delete(name);
}
