import {
  eraseNativeKeyStore,
  openNativeKeyStore,
  type NativeKeyStoreOptions,
  type NativePorts,
} from '@keytide/crypto-core/react-native';
import { destroyRows, finishDestroyingRows, wereRowsDestroyed } from '../destroyed-rows.ts';
import type { DeviceStore } from '../ports.ts';
import { openRowJournal, type JournalRows } from '../row-journal.ts';

/** What a device store on a phone is made of. */
export interface NativeStorePorts extends NativePorts {
  /** Where this store's journals are: a table of SQLite, for one. Excluded from backups. */
  readonly rows: JournalRows;
}

/** Which device to open on a phone, and with what. */
export interface NativeDeviceStoreOptions extends Omit<NativeKeyStoreOptions, 'create'> {}

/**
 * Keeps one device on a phone: a vault under the platform's keystore, made where there is none, and journals
 * (ciphertext and public data) in rows. One opening at a time.
 * @throws CryptoError as `openNativeKeyStore`: `device-key-lost`, `vault-damaged`, `vault-locked`
 */
export async function openNativeDeviceStore(
  ports: NativeStorePorts,
  options: NativeDeviceStoreOptions,
): Promise<DeviceStore> {
  const { rows } = ports;
  const eraseKeys = (): Promise<void> => eraseNativeKeyStore(ports, options.name);
  await finishDestroyingRows(rows, eraseKeys);
  const keys = await openNativeKeyStore(ports, { ...options, create: true });
  return {
    keys,
    journal: (name) => openRowJournal(rows, name),
    close: () => keys.close(),
    async destroy() {
      await keys.close();
      await destroyRows(rows, eraseKeys);
    },
    wasDestroyed: () => wereRowsDestroyed(rows),
  };
}
