import {
  decodeCbor,
  encodeCbor,
  entryHash,
  idBytes,
  type DeviceId,
  type EntryHash,
  type KeyStore,
  type Primitives,
} from '@keytide/crypto-core';
import { parseEntry, type Entry } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import { Serial } from './serial.ts';

interface SignedEntriesOptions {
  readonly primitives: Primitives;
  readonly keyStore: KeyStore;
  readonly directory: DirectoryReplica;
  readonly device: DeviceId;
}

const SIGNED = 'signed-entries';
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Which entries of the membership log this device has signed, as their author or as an approver: whatever else the
 * log has with its signature was made by somebody who has its key. Kept are the entries that are not in the log yet,
 * and the places of those that the device does not know; the others follow from the log.
 */
export class SignedEntries {
  readonly #options: SignedEntriesOptions;
  readonly #writes = new Serial();
  /** How much of the log was looked through. */
  #seen: number;
  #unknown: number[];
  #told = 0;
  /** Signed, and not seen in the log: where each would stand. */
  #waiting: Map<EntryHash, number>;

  private constructor(options: SignedEntriesOptions, stored: Stored) {
    this.#options = options;
    this.#seen = stored.seen;
    this.#unknown = stored.unknown;
    this.#waiting = stored.waiting;
  }

  /** A store that remembers nothing yet takes the log of now for known. @throws ClientError `store-damaged` */
  static async open(options: SignedEntriesOptions): Promise<SignedEntries> {
    const value = await options.keyStore.get(SIGNED);
    if (value !== null) return new SignedEntries(options, decode(value));
    const signed = new SignedEntries(options, {
      seen: options.directory.size,
      unknown: [],
      waiting: new Map(),
    });
    await signed.#write();
    return signed;
  }

  /** Remembers an entry that this device has signed, durably: to be awaited before the signature leaves it. */
  async remember(wire: Uint8Array): Promise<void> {
    const { hash, index } = parseEntry(this.#options.primitives, wire);
    await this.#writes.run(async () => {
      if (this.#waiting.has(hash)) return;
      this.#waiting.set(hash, index);
      try {
        await this.#write();
      } catch (error) {
        this.#waiting.delete(hash);
        throw error;
      }
    });
  }

  /** Places in the log, in order, of entries with this device's signature that it has not made. */
  unknown(): readonly number[] {
    const { primitives, directory, device } = this.#options;
    const wires = directory.wires(this.#seen);
    if (wires.length === 0) return this.#unknown;
    // The entry by which it came in was signed before there was anything to remember it in.
    const cameAt = directory.state.devices.get(device)?.addedAt;
    for (const wire of wires) {
      const entry = parseEntry(primitives, wire);
      const isKnown = this.#waiting.has(entry.hash) || entry.index === cameAt;
      if (isSignedBy(entry, device) && !isKnown) this.#unknown.push(entry.index);
    }
    this.#seen = directory.size;
    for (const [hash, index] of this.#waiting) if (index < this.#seen) this.#waiting.delete(hash);
    return this.#unknown;
  }

  /** Those of `unknown` that it has not answered yet. */
  news(): readonly number[] {
    const news = this.unknown().slice(this.#told);
    this.#told += news.length;
    return news;
  }

  async #write(): Promise<void> {
    const unknown = this.unknown();
    const waiting = [...this.#waiting].map(([hash, index]) => [idBytes(hash), index]);
    const value = encodeCbor([1, this.#seen, [...unknown], waiting]);
    await this.#options.keyStore.write([{ name: SIGNED, value }]);
  }
}

/** Whether an entry carries a device's signature: its author's, or an approval. */
export function isSignedBy(entry: Entry, device: DeviceId): boolean {
  return entry.author === device || entry.approvals.some((approval) => approval.device === device);
}

interface Stored {
  readonly seen: number;
  readonly unknown: number[];
  readonly waiting: Map<EntryHash, number>;
}

function decode(value: Uint8Array): Stored {
  try {
    const [, seen, unknown, waiting] = decodeCbor(value, MAX_BYTES) as [
      number,
      number,
      number[],
      [Uint8Array, number][],
    ];
    return { seen, unknown, waiting: new Map(waiting.map(([hash, index]) => [entryHash(hash), index])) };
  } catch (cause) {
    throw new ClientError('store-damaged', 'the stored list of signed entries is not one', { cause });
  }
}
