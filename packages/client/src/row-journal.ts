import { assertJournalName, assertRecords, type Journal } from './journal.ts';

/** Lists of byte strings in a database: rows of SQLite on a phone, records of IndexedDB in a browser. */
export interface JournalRows {
  /** How many rows a list has; 0 for one that nobody has appended to. */
  count(list: string): Promise<number>;
  /** The rows from `start` (0-based) up to `end`, in order. */
  read(list: string, start: number, end: number): Promise<Uint8Array[]>;
  /** Adds rows, the first of them as row `start`: all of them or, when it rejects or the process ends, none. */
  append(list: string, start: number, rows: readonly Uint8Array[]): Promise<void>;
  /** Resolves when everything appended so far outlives a power cut. */
  flush(list: string): Promise<void>;
  /** Removes all rows of a list, durably. */
  clear(list: string): Promise<void>;
  /** Removes all rows of all lists but this one, durably. */
  clearAllBut(list: string): Promise<void>;
}

/** A journal in a database that adds rows all or none. @throws what the database does */
export async function openRowJournal(rows: JournalRows, name: string): Promise<Journal> {
  assertJournalName(name);
  let length = await rows.count(name);
  return {
    get length() {
      return length;
    },
    read: async (start, end = length) =>
      start >= end ? [] : await rows.read(name, start, Math.min(end, length)),
    async append(records) {
      if (records.length === 0) return;
      assertRecords(records);
      await rows.append(name, length, records);
      length += records.length;
    },
    flush: () => rows.flush(name),
    async clear() {
      await rows.clear(name);
      length = 0;
    },
  };
}
