import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

/** A destination as it is compared: two that are one place by their names alone are the same text. */
export function placeNamed(destination: string): string {
  return destination.startsWith('s3://') ? destination.replace(/\/+$/, '') : resolve(destination);
}

/**
 * What tells a destination from others, however it is named: of a folder its number in its file system. The agent makes
 * no such folder: one that is not there is on a disk that is not mounted.
 * @throws CliError `destination-gone`; what the system says
 */
export async function rootOf(destination: string): Promise<string> {
  const place = placeNamed(destination);
  if (place.startsWith('s3://')) return place;
  const found = await stat(place, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (found?.isDirectory()) return `${found.dev}:${found.ino}`;
  const next = 'Mount what it is on; where it is new, make the folder.';
  throw new CliError('destination-gone', EXIT.usage, 'the folder of a destination is not there', next);
}
