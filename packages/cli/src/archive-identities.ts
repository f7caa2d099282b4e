import { readFile } from 'node:fs/promises';
import { readIdentity, type AgeIdentity } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';

/** The keys in a file of age: one a line, where `#` begins a remark. @throws ArchiveError `bad-key` */
export async function readIdentities(path: string): Promise<AgeIdentity[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => readIdentity(primitives, line));
}
