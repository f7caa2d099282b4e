import { ClientError } from '../errors.ts';
import type { JournalRows } from '../row-journal.ts';
import { answerOf, keyRange, openDatabase, writing } from './idb.ts';

const STORE = 'rows';
/** Where the last flush of a list is noted: a transaction without a write is none. */
const FLUSHED = -1;

/** Rows of journals in the browser's IndexedDB: [list, number] → bytes. */
export interface IndexedRows extends JournalRows {
  close(): void;
}

/** Opens the rows of one device store. Whoever has them open must be alone with them. */
export async function openIndexedRows(name: string): Promise<IndexedRows> {
  const database = await openDatabase(`keytide/${name}/journals`, STORE);
  const rowsOf = (list: string, start = 0): unknown =>
    keyRange([list, start], [list, Number.MAX_SAFE_INTEGER]);
  const write = async (...[durability, act]: Tail<typeof writing>): Promise<void> => {
    try {
      await writing(database, STORE, durability, act);
    } catch (cause) {
      if ((cause as Error).name !== 'QuotaExceededError') throw cause;
      throw new ClientError('storage-full', 'the browser has no room for more', { cause });
    }
  };
  return {
    count: (list) => answerOf(database.transaction(STORE, 'readonly').objectStore(STORE).count(rowsOf(list))),
    async read(list, start, end) {
      const range = keyRange([list, start], [list, end - 1]);
      const rows = await answerOf(database.transaction(STORE, 'readonly').objectStore(STORE).getAll(range));
      if (rows.length !== end - start || !rows.every((row) => row instanceof Uint8Array))
        throw new ClientError('store-damaged', 'a part of a journal is gone from the browser');
      return rows;
    },
    append: (list, start, rows) =>
      write('relaxed', (records) => {
        // A view into something larger would take all of it along.
        for (const [i, row] of rows.entries()) records.put(row.slice(), [list, start + i]);
      }),
    flush: (list) => write('strict', (records) => void records.put(Date.now(), [list, FLUSHED])),
    cut: (list, start) => write('strict', (records) => void records.delete(rowsOf(list, start))),
    clearAllBut: (list) =>
      write('strict', (records) => {
        // Numbers are before arrays, and arrays after all else.
        records.delete(keyRange([''], [list]));
        records.delete(keyRange([list, []], [[]]));
      }),
    close: () => database.close(),
  };
}

type Tail<F> = F extends (database: never, store: never, ...rest: infer R) => unknown ? R : never;
