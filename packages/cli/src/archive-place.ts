import { stat } from 'node:fs/promises';
import type { ArchiveFiles, Destination } from '@keytide/archive';
import { folderDestination, openZip, zipDestination, type ObjectLock } from '@keytide/archive/node';
import { bucketAt } from './archive-bucket.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { usageError } from './usage.ts';
import { withFolderLock } from './folder-lock.ts';

/** Reads an archive where it is: a folder, a ZIP file, or `s3://BUCKET/PLACE`. @throws CliError `not-there`; what the system says; ArchiveError `malformed` */
export async function withArchive<T>(path: string, work: (files: ArchiveFiles) => Promise<T>): Promise<T> {
  const bucket = await bucketAt(path);
  if (bucket !== null) return await work(bucket);
  if (await isFolderThere(path)) return await work(folderDestination(path));
  const zip = await openZip(path);
  try {
    return await work(zip);
  } finally {
    await zip.close();
  }
}

/**
 * Works with an archive where it is written: a folder, which is made with its first file, a ZIP file, if that is how its
 * name ends, or `s3://BUCKET/PLACE`, whose files can be locked. Nobody else of this machine writes to the first two
 * meanwhile.
 * @throws CliError `place-in-use`, `usage` for a lock elsewhere; what `work` throws
 */
export async function withDestination<T>(
  path: string,
  work: (destination: Destination) => Promise<T>,
  objectLock?: ObjectLock,
): Promise<T> {
  const bucket = await bucketAt(path, objectLock);
  if (bucket !== null) return await work(bucket);
  if (objectLock !== undefined)
    throw usageError('only a bucket locks files', 'Give the place as s3://BUCKET/PLACE.');
  return await withFolderLock(path, async () => {
    if (!ZIP.test(path) || (await isFolder(path))) return await work(folderDestination(path));
    const zip = zipDestination(path);
    try {
      return await work(zip);
    } finally {
      await zip.close();
    }
  });
}

const ZIP = /\.zip$/i;

/** @throws CliError `not-there` where there is nothing */
async function isFolderThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    const next = 'Check the path, and whether the disk that it is on is mounted.';
    throw new CliError('not-there', EXIT.usage, `there is no archive at ${path}`, next);
  }
}

/** Whether there is a folder. */
export async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
