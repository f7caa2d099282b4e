import { ClientError } from './errors.ts';

/**
 * An append-only list of byte records on the device. It survives a killed process: after a crash the list
 * is a prefix of what was appended, never shorter than what was `flush`ed, and never a torn record.
 */
export interface Journal {
  /** How many records there are. */
  readonly length: number;
  /** Records from `start` (0-based) up to `end`, in order. */
  read(start: number, end?: number): Promise<Uint8Array[]>;
  /** Adds records in order. They are visible at once and durable after `flush`. */
  append(records: readonly Uint8Array[]): Promise<void>;
  /** Makes everything appended so far durable. */
  flush(): Promise<void>;
  /** Removes the records from `length` on, durably. */
  cut(length: number): Promise<void>;
}

/** The longest record, in bytes. */
export const MAX_RECORD_BYTES: number = 16 * 1024 * 1024;

const PAGE = { entries: 1024, sizeBytes: 4 * 1024 * 1024, readEntries: 128 };

/** Records from `start` on, for one round of work: enough to be worth it, and not more than a phone can hold. */
export async function readPage(journal: Journal, start: number): Promise<Uint8Array[]> {
  const page: Uint8Array[] = [];
  let sizeBytes = 0;
  while (page.length < PAGE.entries && sizeBytes < PAGE.sizeBytes && start + page.length < journal.length) {
    const next = start + page.length;
    const records = await journal.read(next, Math.min(journal.length, next + PAGE.readEntries));
    for (const record of records) sizeBytes += record.length;
    page.push(...records);
  }
  return page;
}

/** A journal that lives and dies with the process: for tests, and for runtimes without a disk. */
export function memoryJournal(): Journal {
  let records: Uint8Array[] = [];
  return {
    get length() {
      return records.length;
    },
    read: async (start, end) => records.slice(start, end).map((record) => record.slice()),
    append: async (added) => {
      assertRecords(added);
      records.push(...added.map((record) => record.slice()));
    },
    flush: async () => {},
    cut: async (length) => {
      records = records.slice(0, length);
    },
  };
}

/** @throws ClientError `store-damaged` for what is no name of a journal: it may become a part of a file's */
export function assertJournalName(name: string): void {
  if (!/^[a-z-]+$/.test(name)) throw new ClientError('store-damaged', 'not a name of a journal');
}

/** @throws ClientError `store-damaged` for an empty record, `too-large` for one over 16 MiB */
export function assertRecords(records: readonly Uint8Array[]): void {
  for (const record of records) {
    if (record.length === 0) throw new ClientError('store-damaged', 'an empty journal record');
    if (record.length > MAX_RECORD_BYTES) throw new ClientError('too-large', 'a journal record over 16 MiB');
  }
}
