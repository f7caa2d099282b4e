import { asciiBytes, CryptoError } from '@keytide/crypto-core';
import type { JournalRows } from './row-journal.ts';

/*
 * A list that is no journal's says what has become of a store: one row until all else is gone, then a second one
 * (docs/spec/wipe.md). A crash at any moment loses nothing of it.
 */
const MARK = '!wiped';
const MARKS = [asciiBytes('destroying'), asciiBytes('destroyed')];

/** Destroys what a device keeps, the keys first. A disk that is too full for the mark keeps nothing. */
export async function destroyRows(rows: JournalRows, eraseKeys: () => Promise<void>): Promise<void> {
  try {
    await rows.cut(MARK, 0);
    await leave(rows, 0);
  } catch {
    // What is to be destroyed is, with or without a note of it.
  }
  await finish(rows, eraseKeys);
}

/** Finishes what a crash has left of `destroyRows`. */
export async function finishDestroyingRows(rows: JournalRows, eraseKeys: () => Promise<void>): Promise<void> {
  if ((await rows.count(MARK)) === 1) await finish(rows, eraseKeys);
}

/**
 * Opens the vault beside these rows, or makes one. Rows without a vault are those of a device whose vault was erased,
 * and nobody's: they go first, or what that one has left would wait for ever.
 */
export async function openBeside<Opened>(
  rows: JournalRows,
  open: (create: boolean) => Promise<Opened>,
): Promise<Opened> {
  try {
    return await open(false);
  } catch (error) {
    if (!(error instanceof CryptoError) || error.code !== 'vault-missing') throw error;
  }
  await rows.clearAllBut(MARK);
  return await open(true);
}

/** Whether what was in these rows was destroyed. */
export async function wereRowsDestroyed(rows: JournalRows): Promise<boolean> {
  return (await rows.count(MARK)) > 0;
}

async function finish(rows: JournalRows, eraseKeys: () => Promise<void>): Promise<void> {
  await eraseKeys();
  await rows.clearAllBut(MARK);
  await leave(rows, 1);
}

async function leave(rows: JournalRows, mark: 0 | 1): Promise<void> {
  await rows.append(MARK, mark, [MARKS[mark] as Uint8Array]);
  await rows.flush(MARK);
}
