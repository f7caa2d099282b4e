import {
  eraseNativeKeyStore,
  openNativeKeyStore,
  type NativeKeyStoreOptions,
  type NativePorts,
} from '@keytide/crypto-core/react-native';
import { destroyRows, finishDestroyingRows, openBeside, wereRowsDestroyed } from '../destroyed-rows.ts';
import { globalPorts } from '../global-ports.ts';
import type { DeviceStore, Ports } from '../ports.ts';
import { openRowJournal, type JournalRows } from '../row-journal.ts';
import { ticketIn } from '../row-ticket.ts';
import { unlockShareFrom } from '../unlock-share.ts';

/** What a device store on a phone is made of. */
export interface NativeStorePorts extends NativePorts {
  /** Where this store's journals are: a table of SQLite, for one. Excluded from backups. */
  readonly rows: JournalRows;
}

/** Which device to open on a phone, and with what. */
export interface NativeDeviceStoreOptions extends Pick<NativeKeyStoreOptions, 'name'> {
  /** How to reach the relay that keeps the vault's unlock share, where the organisation has an unlock lease. Default: the platform's. */
  readonly ports?: Pick<Ports, 'fetch' | 'clock'>;
}

/**
 * Keeps one device on a phone: a vault under the platform's keystore, made where there is none, and journals
 * (ciphertext and public data) in rows. One opening at a time.
 * @throws CryptoError as `openNativeKeyStore`: `device-key-lost`, `vault-damaged`, `vault-locked`; with an unlock lease
 *   also ClientError `offline`, `lease-over`, `relay-refused`
 */
export async function openNativeDeviceStore(
  ports: NativeStorePorts,
  options: NativeDeviceStoreOptions,
): Promise<DeviceStore> {
  const { rows } = ports;
  const { name } = options;
  const ticket = ticketIn(rows);
  const eraseKeys = (): Promise<void> => eraseNativeKeyStore(ports, name);
  await finishDestroyingRows(rows, eraseKeys);
  const unlockShare = unlockShareFrom(options.ports ?? globalPorts(), ticket);
  const keys = await openBeside(rows, (create) => openNativeKeyStore(ports, { name, create, unlockShare }));
  return {
    keys,
    lease: { vault: keys, ticket },
    journal: (journal) => openRowJournal(rows, journal),
    close: () => keys.close(),
    async destroy() {
      await keys.close();
      await destroyRows(rows, eraseKeys);
    },
    wasDestroyed: () => wereRowsDestroyed(rows),
  };
}
