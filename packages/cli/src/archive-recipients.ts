import { readFile } from 'node:fs/promises';
import { readRecipient } from '@keytide/archive';

/**
 * The keys that are named: `age1pq…`, or files with one a line, where `#` begins a remark.
 * @throws ArchiveError `bad-key`
 */
export async function readRecipients(named: readonly string[]): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = [];
  for (const text of named) {
    const lines = text.startsWith('age1') ? [text] : (await readFile(text, 'utf8')).split('\n');
    const given = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
    keys.push(...given.map(readRecipient));
  }
  return keys;
}
