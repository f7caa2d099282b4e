import type { SqlDatabase } from './database.ts';

/** The same database; `failed` hears of every statement that failed and every transaction that was not committed for it. */
export function watchFailures(database: SqlDatabase, failed: () => void): SqlDatabase {
  async function watch<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: unknown }).code === 'database-failed') failed();
      throw error;
    }
  }
  return {
    connections: database.connections,
    query: (text, params) => watch(() => database.query(text, params)),
    transaction: (work) => watch(() => database.transaction(work)),
    close: () => database.close(),
  };
}
