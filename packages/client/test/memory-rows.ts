import type { JournalRows } from '../src/row-journal.ts';

/** Rows in memory, for tests; `failure` is what the next append fails with. */
export function memoryRows(): JournalRows & { failure: Error | null } {
  const lists = new Map<string, Uint8Array[]>();
  const listOf = (list: string): Uint8Array[] => {
    const rows = lists.get(list) ?? [];
    lists.set(list, rows);
    return rows;
  };
  return {
    failure: null,
    count: async (list) => listOf(list).length,
    read: async (list, start, end) =>
      listOf(list)
        .slice(start, end)
        .map((row) => row.slice()),
    async append(list, start, rows) {
      const kept = this.failure === null ? rows : rows.slice(0, 1);
      for (const [i, row] of kept.entries()) listOf(list)[start + i] = row.slice();
      if (this.failure !== null) throw this.failure;
    },
    flush: async () => {},
    cut: async (list, start) => void lists.set(list, listOf(list).slice(0, start)),
    async clearAllBut(list) {
      for (const other of lists.keys()) if (other !== list) lists.delete(other);
    },
  };
}
