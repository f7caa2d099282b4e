import {
  CryptoError,
  decodeCbor,
  encodeCbor,
  parseSealingRecord,
  requireNextSealingRecord,
  sealingRecordAt,
  verifySealingRecord,
  type DeviceId,
  type Primitives,
  type SealingChoice,
  type SealingRecord,
} from '@keytide/crypto-core';
import type { Device } from '@keytide/key-directory';
import type { SealingRecordsBody } from '@keytide/relay-protocol';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { Journal } from './journal.ts';
import { sealingTimesOf } from './sealing-times.ts';

/** How to get more sealing records: those after a place in the relay's list. */
export type ReadSealingRecords = (after: number) => Promise<SealingRecordsBody>;

interface SealingRecordsOptions {
  readonly primitives: Primitives;
  /** Pages as they came: `[1, next, [record, …]]`. */
  readonly journal: Journal;
  readonly directory: DirectoryReplica;
}

interface Known {
  readonly record: SealingRecord;
  readonly wire: Uint8Array;
}

const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Of each device: the newest can lie ahead. */
const KEPT = 2;
const COMPACT_AT = 64;
const KEPT_BY_RELAY = 4;
const SPARE = 1024;

/**
 * The sealing keys that others have published, as far as this device has verified them. It never goes back
 * behind the newest record of a device, whatever the relay shows.
 */
export class SealingRecords {
  readonly #options: SealingRecordsOptions;
  #known = new Map<DeviceId, readonly Known[]>();
  #next = 0;

  private constructor(options: SealingRecordsOptions) {
    this.#options = options;
  }

  /** Verifies again what the journal holds. @throws ClientError `store-damaged` */
  static async open(options: SealingRecordsOptions): Promise<SealingRecords> {
    const records = new SealingRecords(options);
    if (options.directory.size === 0) return records;
    for (const page of await options.journal.read(0)) {
      const { next, wires } = decodePage(page);
      for (const wire of wires) records.#take(wire);
      records.#next = next;
    }
    return records;
  }

  /**
   * Asks the relay for what is new.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved` for a list that does not go on
   */
  async pull(read: ReadSealingRecords): Promise<void> {
    const { journal, directory } = this.#options;
    // What a relay keeps of each device, twice over, and some for who comes meanwhile: a list without end is none.
    let left = directory.state.devices.size * 2 * KEPT_BY_RELAY + SPARE;
    for (;;) {
      const { records, next, more } = await read(this.#next);
      left -= records.length;
      if (left < 0 || next < this.#next || (more && (next === this.#next || records.length === 0)))
        throw new ClientError('relay-misbehaved', 'the list of sealing records does not go on');
      const before = new Map(this.#known);
      const wires = records.map(({ record }) => record).filter((wire) => this.#take(wire));
      try {
        if (next > this.#next || wires.length > 0) await journal.append([encodeCbor([1, next, wires])]);
      } catch (error) {
        // What is not kept here must be new again when the relay shows it again.
        this.#known = before;
        throw error;
      }
      this.#next = next;
      if (!more) break;
    }
    await journal.flush();
    if (journal.length > COMPACT_AT) await this.#compact();
  }

  /**
   * Asks for the whole list the next time, and still never goes back behind what is known: the place is the
   * relay's word, so one that lied about it, or was restored, would otherwise hide what comes for good.
   */
  startOver(): void {
    this.#next = 0;
  }

  /** What to seal this device's box to in an epoch made at `atMs`. */
  choiceAt({ id, sealing }: Pick<Device, 'id' | 'sealing'>, atMs: number): SealingChoice {
    const later = (this.#known.get(id) ?? []).map(({ record }) => record);
    const times = sealingTimesOf(this.#options.directory.state.policy);
    return sealingRecordAt([{ device: id, ...sealing }, ...later], atMs, times);
  }

  /** Whether the record is new here and true: its device's own, a key that works, and next after those known. */
  #take(wire: Uint8Array): boolean {
    const { primitives, directory } = this.#options;
    try {
      const device = directory.state.devices.get(parseSealingRecord(wire).device);
      if (device === undefined) return false;
      const record = verifySealingRecord(primitives, primitives.verifier(device.signingPublicKey), wire);
      const known = this.#known.get(device.id) ?? [];
      const before = [{ device: device.id, ...device.sealing }, ...known.map((one) => one.record)];
      // When it was published is the relay's word, so only the order of a device's own times counts here; and blocks
      // can have been longer then, but a key that outlives X would open what must be gone.
      const times = sealingTimesOf(directory.state.policy);
      const mostMs = { ...times, blockMs: times.retentionMs };
      requireNextSealingRecord(before, record, record.notBeforeMs, mostMs);
      this.#known.set(device.id, [...known, { record, wire }].slice(-KEPT));
      return true;
    } catch (error) {
      if (error instanceof CryptoError) return false;
      throw error;
    }
  }

  /** A crash in between loses the list, and the relay is asked for all of it again. */
  async #compact(): Promise<void> {
    const { journal } = this.#options;
    const wires = [...this.#known.values()].flatMap((known) => known.map(({ wire }) => wire));
    await journal.cut(0);
    await journal.append([encodeCbor([1, this.#next, wires])]);
    await journal.flush();
  }
}

function decodePage(page: Uint8Array): { next: number; wires: Uint8Array[] } {
  const value = decodeCbor(page, MAX_PAGE_BYTES);
  const [version, next, wires] = Array.isArray(value) ? value : [];
  if (version !== 1 || typeof next !== 'number' || !Array.isArray(wires))
    throw new ClientError('store-damaged', 'a stored page of sealing records is not one');
  return { next, wires: wires.filter((wire): wire is Uint8Array => wire instanceof Uint8Array) };
}
