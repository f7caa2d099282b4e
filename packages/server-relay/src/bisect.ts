import { sqlStateOf } from './sql/sql-state.ts';

/** A class of SQLSTATE by which a database refuses what it was given: data that it cannot take, a broken constraint. */
const REFUSED = /^(?:22|23)/;

/**
 * Does `work` with all items at once. If the database refuses that, with each half, so that in the end only those
 * fail that are refused alone. A database that does not answer is asked once.
 */
export async function bisect<T>(
  items: readonly T[],
  work: (items: readonly T[]) => Promise<void>,
  failed: (item: T, error: unknown) => void,
): Promise<void> {
  try {
    await work(items);
  } catch (error) {
    if (items.length < 2 || !REFUSED.test(sqlStateOf(error) ?? ''))
      return items.forEach((item) => failed(item, error));
    const half = Math.ceil(items.length / 2);
    await bisect(items.slice(0, half), work, failed);
    await bisect(items.slice(half), work, failed);
  }
}
