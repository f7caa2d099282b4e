import { readRecipient } from '@keytide/archive';
import { readFileLines } from './file-bytes.ts';

/**
 * The keys that are named: `age1pq…`, or files with one a line, where `#` begins a remark.
 * @throws ArchiveError `bad-key`; CliError `file-unreadable`
 */
export async function readRecipients(named: readonly string[]): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = [];
  for (const text of named)
    keys.push(...(text.startsWith('age1') ? [text] : await readFileLines(text)).map(readRecipient));
  return keys;
}
