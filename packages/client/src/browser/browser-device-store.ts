import type { Vault } from '@keytide/crypto-core';
import {
  eraseBrowserKeyStore,
  openBrowserKeyStore,
  type BrowserKeyStoreOptions,
} from '@keytide/crypto-core/browser';
import { destroyRows, finishDestroyingRows, openBeside, wereRowsDestroyed } from '../destroyed-rows.ts';
import { ClientError } from '../errors.ts';
import { globalPorts } from '../global-ports.ts';
import type { DeviceStore, Ports } from '../ports.ts';
import { openRowJournal } from '../row-journal.ts';
import { ticketIn } from '../row-ticket.ts';
import { unlockShareFrom } from '../unlock-share.ts';
import { openIndexedRows, type IndexedRows } from './indexed-rows.ts';
import { takeStore } from './store-lock.ts';

/** Which device to open in a browser, and with what. */
export interface BrowserDeviceStoreOptions extends Omit<BrowserKeyStoreOptions, 'create' | 'unlockShare'> {
  /** How to reach the relay that keeps the vault's unlock share, where the organisation has an unlock lease. Default: the browser's. */
  readonly ports?: Pick<Ports, 'fetch' | 'clock'>;
  /** Waits until no other tab has this store open, instead of refusing. */
  readonly wait?: boolean;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/**
 * Keeps one device in a browser's IndexedDB: a vault, made where there is none, and journals (ciphertext and public
 * data). One tab at a time has it; the others wait, or are told.
 * @throws ClientError `store-in-use`, `closed` when `signal` ends the waiting, `unsupported-runtime`; CryptoError as
 *   `openBrowserKeyStore`; with an unlock lease also ClientError `offline`, `lease-over`, `relay-refused`; errors of
 *   IndexedDB as they are
 */
export async function openBrowserDeviceStore(options: BrowserDeviceStoreOptions): Promise<DeviceStore> {
  assertSupported();
  const { wait = false, signal, ports = globalPorts(), ...vault } = options;
  const { name } = options;
  const letGo = await takeStore(name, { wait, ...(signal !== undefined && { signal }) });
  let rows: IndexedRows | null = null;
  try {
    rows = await openIndexedRows(name);
    await finishDestroyingRows(rows, () => eraseBrowserKeyStore(name));
    const unlockShare = unlockShareFrom(ports, ticketIn(rows));
    const keys = await openBeside(rows, (create) => openBrowserKeyStore({ ...vault, create, unlockShare }));
    return storeOf(name, { keys, rows, letGo });
  } catch (error) {
    rows?.close();
    await letGo();
    throw error;
  }
}

interface Opened {
  readonly keys: Vault;
  readonly rows: IndexedRows;
  letGo(): Promise<void>;
}

function storeOf(name: string, { keys, rows, letGo }: Opened): DeviceStore {
  const leave = async (): Promise<void> => {
    rows.close();
    await letGo();
  };
  return {
    keys,
    lease: { vault: keys, ticket: ticketIn(rows) },
    journal: (journal) => openRowJournal(rows, journal),
    async close() {
      await keys.close();
      await leave();
    },
    async destroy() {
      // The keys leave the memory whatever the database answers, and no answer keeps the rest from being destroyed.
      await keys.close().catch(() => null);
      await destroyRows(rows, () => eraseBrowserKeyStore(name));
      await leave();
    },
    wasDestroyed: () => wereRowsDestroyed(rows),
  };
}

function assertSupported(): void {
  const { navigator, indexedDB } = globalThis as { navigator?: { locks?: unknown }; indexedDB?: unknown };
  if (navigator?.locks === undefined || indexedDB === undefined)
    throw new ClientError(
      'unsupported-runtime',
      'a device store needs IndexedDB and Web Locks: a secure page',
    );
}
