import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vault } from '@keytide/crypto-core';
import { nodeRandom, openFileVault, type VaultKdf } from '@keytide/crypto-core/node';
import { assertJournalName, type Journal } from '../journal.ts';
import type { DeviceStore, Ports } from '../ports.ts';
import { unlockShareFrom } from '../unlock-share.ts';
import { destroyHome, finishDestroying, wasHomeDestroyed } from './destroyed-home.ts';
import { openFileJournal } from './file-journal.ts';
import { nodePorts } from './node-ports.ts';
import { ticketIn } from './ticket-file.ts';

/** Where a device's files are and what opens them. */
export interface FileDeviceStoreOptions {
  /** A folder of its own for this device; made when missing, readable by its owner only. */
  readonly home: string;
  /** Opens the vault in which the keys are, or closes a new one. */
  readonly passphrase: string;
  /** Cost of the passphrase's derivation; the default suits people, a lower one suits tests. */
  readonly kdf?: VaultKdf;
  /** How to reach the relay that keeps the vault's unlock share, where the organisation has an unlock lease. Default: `nodePorts`. */
  readonly ports?: Pick<Ports, 'fetch' | 'clock'>;
}

/**
 * Keeps one device in a folder: `vault` (keys, encrypted under the passphrase) and `*.journal` (ciphertext
 * and public data). One process at a time. Once destroyed, the folder holds nothing but the note that it was, and can be
 * used again.
 * @throws CryptoError `wrong-passphrase`, `vault-damaged`, `vault-locked`; with an unlock lease also ClientError `offline`,
 *   `lease-over`, `relay-refused`
 */
export async function openFileDeviceStore(options: FileDeviceStoreOptions): Promise<DeviceStore> {
  const { home } = options;
  await finishDestroying(home);
  const keys = await openVault(options);
  const journals = new Map<string, Journal & { close(): Promise<void> }>();
  return {
    keys,
    lease: { vault: keys, ticket: ticketIn(home) },
    async journal(name) {
      assertJournalName(name);
      const journal = journals.get(name) ?? (await openFileJournal(join(home, `${name}.journal`)));
      journals.set(name, journal);
      return journal;
    },
    async close() {
      for (const journal of journals.values()) {
        await journal.flush();
        await journal.close();
      }
      journals.clear();
      await keys.close();
    },
    async destroy() {
      await keys.close().catch(() => null);
      await destroyHome(home);
      for (const journal of journals.values()) await journal.close();
      journals.clear();
    },
    wasDestroyed: () => wasHomeDestroyed(home),
  };
}

/** Whether a device is kept in this folder. */
export async function hasFileDeviceStore(home: string): Promise<boolean> {
  return await access(vaultPath(home)).then(
    () => true,
    () => false,
  );
}

async function openVault({
  home,
  passphrase,
  kdf,
  ports = nodePorts,
}: FileDeviceStoreOptions): Promise<Vault> {
  return await openFileVault({
    path: vaultPath(home),
    passphrase,
    create: !(await hasFileDeviceStore(home)),
    random: nodeRandom,
    unlockShare: unlockShareFrom(ports, ticketIn(home)),
    ...(kdf === undefined ? {} : { kdf }),
  });
}

function vaultPath(home: string): string {
  return join(home, 'vault');
}
