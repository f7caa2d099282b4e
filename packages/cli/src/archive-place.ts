import { stat } from 'node:fs/promises';
import type { ArchiveFiles, Destination } from '@keytide/archive';
import { folderDestination, openZip } from '@keytide/archive/node';
import { withFolderLock } from './folder-lock.ts';

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

/**
 * Works with an archive where it is written: a folder, which is made with its first file. Nobody else of this machine
 * writes there meanwhile.
 * @throws CliError `place-in-use`; what `work` throws
 */
export async function withDestination<T>(
  path: string,
  work: (destination: Destination) => Promise<T>,
): Promise<T> {
  return await withFolderLock(path, () => work(folderDestination(path)));
}
