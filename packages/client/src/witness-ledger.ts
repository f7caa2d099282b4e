import {
  decodeCbor,
  deviceId,
  encodeCbor,
  idBytes,
  type DeviceId,
  type KeyStore,
} from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import type { SignedCheckpoint } from './signed-checkpoint.ts';
import { adminOf, type Vouched } from './witness-demand.ts';

const NAME = 'witnessed';
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * What this device knows of cosignatures: for each admin's device until when it has vouched for this log, the newest
 * time that any of them has signed, and the newest note with one. Durable, so that a relay that shows older notes
 * after a restart, or a clock that was set back, takes nothing back.
 */
export class WitnessLedger {
  readonly #keyStore: KeyStore;
  #vouched: Vouched = new Map<DeviceId, number>();
  #newestSeconds = 0;
  #note: Uint8Array | null = null;

  private constructor(keyStore: KeyStore) {
    this.#keyStore = keyStore;
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(keyStore: KeyStore): Promise<WitnessLedger> {
    const ledger = new WitnessLedger(keyStore);
    const stored = await keyStore.get(NAME);
    if (stored === null) return ledger;
    try {
      const [newestSeconds, note, ...rows] = decodeCbor(stored, MAX_BYTES) as [number, Uint8Array, ...Row[]];
      ledger.#vouched = new Map(rows.map(([device, timeSeconds]) => [deviceId(device), timeSeconds]));
      ledger.#newestSeconds = newestSeconds;
      ledger.#note = note;
    } catch (cause) {
      throw new ClientError('store-damaged', 'the stored cosignatures are none', { cause });
    }
    return ledger;
  }

  get vouched(): Vouched {
    return this.#vouched;
  }

  /** The newest time in a cosignature that counted, in seconds since 1970; 0 before the first. */
  get newestSeconds(): number {
    return this.#newestSeconds;
  }

  /** The note in which the newest cosignature stands; `null` before the first. */
  get note(): Uint8Array | null {
    return this.#note;
  }

  /** Takes what holds of a note of this device's own log; durable when it resolves. Forgets who is no admin any more. */
  async take(
    state: DirectoryState,
    { note }: Pick<SignedCheckpoint, 'note'>,
    cosigned: Vouched,
  ): Promise<void> {
    const newer = [...cosigned].filter(([device, time]) => time > (this.#vouched.get(device) ?? -1));
    if (newer.length === 0) return;
    const vouched = new Map([...this.#vouched].filter(([device]) => adminOf(state, device) !== null));
    for (const [device, timeSeconds] of newer) vouched.set(device, timeSeconds);
    const latest = Math.max(...newer.map(([, timeSeconds]) => timeSeconds));
    const kept = this.#note === null || latest >= this.#newestSeconds ? note : this.#note;
    const newestSeconds = Math.max(this.#newestSeconds, latest);
    const rows = [...vouched].map(([device, timeSeconds]): Row => [idBytes(device), timeSeconds]);
    await this.#keyStore.write([{ name: NAME, value: encodeCbor([newestSeconds, kept, ...rows]) }]);
    this.#vouched = vouched;
    this.#newestSeconds = newestSeconds;
    this.#note = kept;
  }
}

type Row = [device: Uint8Array, timeSeconds: number];
