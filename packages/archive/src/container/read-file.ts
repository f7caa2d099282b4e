import { readerOf } from '../byte-reader.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveFiles } from './destination.ts';

/** Reads a whole file of at most `mostBytes`. @throws ArchiveError `missing-file`, `too-large` */
export async function readFile(
  files: Pick<ArchiveFiles, 'read'>,
  name: string,
  mostBytes: number,
): Promise<Uint8Array> {
  const reader = readerOf(files.read(name));
  const bytes = await reader.read(mostBytes);
  if (await reader.isAtEnd()) return bytes;
  throw new ArchiveError('too-large', 'a file of an archive is larger than any of its kind');
}
