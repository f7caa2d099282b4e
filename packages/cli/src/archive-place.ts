import { stat } from 'node:fs/promises';
import type { ArchiveFiles } from '@keytide/archive';
import { folderDestination, openZip } from '@keytide/archive/node';

/** Reads an archive where it is: a folder, or a ZIP file. @throws what the system says; ArchiveError `malformed` */
export async function withArchive<T>(path: string, work: (files: ArchiveFiles) => Promise<T>): Promise<T> {
  if ((await stat(path)).isDirectory()) return await work(folderDestination(path));
  const zip = await openZip(path);
  try {
    return await work(zip);
  } finally {
    await zip.close();
  }
}
