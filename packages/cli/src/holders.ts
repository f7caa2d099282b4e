import type { ArchiveKeyHolders } from '@keytide/client';
import { terminalText } from './terminal-text.ts';
import { usageError } from './usage.ts';

/** Among whom a key is split, as it is typed. */
export interface HolderOptions {
  readonly name?: readonly string[];
  readonly needed?: string;
}

const MOST = 64;

/** @throws CliError `usage` for names and numbers that cannot be */
export function holdersOf({ name: holders = [], needed = '' }: HolderOptions): ArchiveKeyHolders {
  if (holders.length < 2 || holders.length > MOST)
    throw usageError('a key is split among 2 to 64 holders', 'Give --name for each of them.');
  for (const name of holders)
    if (name.trim() !== name || name === '' || name.length > MOST || terminalText(name) !== name)
      throw usageError('not a name for a holder', 'Give 1 to 64 characters that can be printed.');
  if (new Set(holders.map((name) => name.normalize('NFC'))).size < holders.length)
    throw usageError(
      'two holders have the same name',
      'Give each a name of their own: what one person holds alone is no second share.',
    );
  const threshold = /^\d{1,2}$/.test(needed) ? Number(needed) : 0;
  if (threshold < 2 || threshold > holders.length)
    throw usageError('--needed is how many holders it takes', 'Give 2, or more up to all of them.');
  return { threshold, holders };
}
