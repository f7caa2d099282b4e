import { decodeCbor, encodeCbor, equalBytes, fromHex, toHex, type KeyStore } from '@keytide/crypto-core';

/**
 * Where an upload that can go on later stands. It holds the attachment's key, so it is in the key store. `checkpoint`
 * is from before the window that was sent last, and `windowHash` the SHA-256 of that window's ciphertext: it may be
 * sealed again, and only to the same bytes.
 */
export interface UploadRecord {
  readonly blob: string;
  readonly sizeBytes: number;
  readonly startedMs: number;
  readonly checkpoint: Uint8Array;
  readonly windowHash: Uint8Array;
}

const PREFIX = 'attachment-upload/';
const MAX_RECORD_BYTES = 8192;
/** The relay keeps an upload that stands still for seven days. */
const RELAY_KEEPS_MS = 604_800_000;

/** The records of uploads under way, by the names that the application gave them. */
export class UploadRecords {
  readonly #keyStore: KeyStore;
  readonly #retentionMs: () => number;

  /** `retentionMs`: how long this device may keep what reads old content. */
  constructor(keyStore: KeyStore, retentionMs: () => number) {
    this.#keyStore = keyStore;
    this.#retentionMs = retentionMs;
  }

  /** The record of an upload; `null` without, for other content, or for one that is too old. */
  async find(name: string, sizeBytes: number, nowMs: number): Promise<UploadRecord | null> {
    await this.forgetOld(nowMs);
    const record = decodeRecord(await this.#keyStore.get(PREFIX + name));
    return record === null || record.sizeBytes !== sizeBytes ? null : record;
  }

  /** Keeps a record; durable when it resolves. */
  async put(name: string, record: UploadRecord): Promise<void> {
    await this.#keyStore.write([{ name: PREFIX + name, value: encodeRecord(record) }]);
  }

  async remove(name: string): Promise<void> {
    await this.#keyStore.write([{ name: PREFIX + name, value: null }]);
  }

  /** Keys of uploads that nobody will finish do not stay. */
  async forgetOld(nowMs: number): Promise<void> {
    const keptMs = Math.min(RELAY_KEEPS_MS, this.#retentionMs());
    for (const name of await this.#keyStore.names(PREFIX)) {
      const record = decodeRecord(await this.#keyStore.get(name));
      if (record !== null && Math.abs(nowMs - record.startedMs) <= keptMs) continue;
      await this.#keyStore.write([{ name, value: null }]);
    }
  }
}

/** Whether two states are of the same moment of sealing. */
export function isSameCheckpoint(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && equalBytes(a, b);
}

function encodeRecord({ blob, sizeBytes, startedMs, checkpoint, windowHash }: UploadRecord): Uint8Array {
  return encodeCbor([1, fromHex(blob), sizeBytes, startedMs, checkpoint, windowHash]);
}

function decodeRecord(bytes: Uint8Array | null): UploadRecord | null {
  if (bytes === null) return null;
  const value = decodeCbor(bytes, MAX_RECORD_BYTES);
  if (!Array.isArray(value) || value.length !== 6 || value[0] !== 1) return null;
  const [, blob, sizeBytes, startedMs, checkpoint, windowHash] = value as never as [
    number,
    Uint8Array,
    number,
    number,
    Uint8Array,
    Uint8Array,
  ];
  return { blob: toHex(blob), sizeBytes, startedMs, checkpoint, windowHash };
}
