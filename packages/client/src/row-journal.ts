import { assertJournalName, assertRecords, type Journal } from './journal.ts';

/** Lists of byte strings in a database: rows of SQLite on a phone, records of IndexedDB in a browser. */
export interface JournalRows {
  /** How many rows a list has; 0 for one that nobody has appended to. */
  count(list: string): Promise<number>;
  /** The rows from `start` (0-based) up to `end`, in order. */
  read(list: string, start: number, end: number): Promise<Uint8Array[]>;
  /** Adds rows, the first of them as row `start`; a failure or a crash may leave some of them, the first ones. */
  append(list: string, start: number, rows: readonly Uint8Array[]): Promise<void>;
  /** Resolves when everything appended so far outlives a power cut. */
  flush(list: string): Promise<void>;
  /** Removes the rows of a list from `start` on, durably. */
  cut(list: string, start: number): Promise<void>;
  /** Removes all rows of all lists but this one, durably. */
  clearAllBut(list: string): Promise<void>;
}

/** A journal in rows of a database. @throws what the database does */
export async function openRowJournal(rows: JournalRows, name: string): Promise<Journal> {
  assertJournalName(name);
  let length = await rows.count(name);
  /** What a failed append has left, and could not be removed, must not stand behind a shorter next one. */
  let leftover: unknown = null;
  return {
    get length() {
      return length;
    },
    read: async (start, end = length) =>
      start >= end ? [] : await rows.read(name, start, Math.min(end, length)),
    async append(records) {
      if (records.length === 0) return;
      assertRecords(records);
      if (leftover !== null) throw leftover;
      await rows.append(name, length, records).catch(async (error: unknown) => {
        await rows.cut(name, length).catch(() => {
          leftover = error;
        });
        throw error;
      });
      length += records.length;
    },
    flush: () => rows.flush(name),
    async cut(to) {
      await rows.cut(name, to);
      length = Math.min(length, to);
    },
  };
}
