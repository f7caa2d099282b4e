import type { JournalRows } from '../src/row-journal.ts';

/** Rows in memory, for tests; `failure` is what the next append fails with. */
export function memoryRows(): JournalRows & { failure: Error | null } {
  const lists = new Map<string, Uint8Array[]>();
  const listOf = (list: string): Uint8Array[] => lists.get(list) ?? [];
  return {
    failure: null,
    count: async (list) => listOf(list).length,
    read: async (list, start, end) =>
      listOf(list)
        .slice(start, end)
        .map((row) => row.slice()),
    async append(list, start, rows) {
      if (this.failure !== null) throw this.failure;
      lists.set(list, [...listOf(list).slice(0, start), ...rows.map((row) => row.slice())]);
    },
    flush: async () => {},
    clear: async (list) => void lists.delete(list),
    async clearAllBut(list) {
      for (const other of lists.keys()) if (other !== list) lists.delete(other);
    },
  };
}
