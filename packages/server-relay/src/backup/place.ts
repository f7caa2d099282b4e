import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CborValue } from '@keytide/crypto-core';
import { RelayError } from '../errors.ts';
import { damaged, readRecordFile } from './record-file.ts';

/** What a file of a backup says of itself, before everything else. */
export interface Head {
  /** The newest migration of the database. */
  readonly migration: number;
  /** The relay's public key, 32 bytes. */
  readonly relayKey: Uint8Array;
}

const SUFFIX = '.backup';

/** Where things are in the folder of a relay's backups. */
export function placesIn(folder: string): { readonly keys: string; readonly blobs: string } {
  return { keys: join(folder, 'keys'), blobs: join(folder, 'blobs') };
}

/** What a backup that is made now is called: by its time, so that names are in the order of time. */
export function generationAt(nowMs: number): string {
  return new Date(nowMs).toISOString().replaceAll(':', '-').replace('.', '-');
}

/** The file of a backup. */
export function generationPath(folder: string, generation: string): string {
  return join(folder, `${generation}${SUFFIX}`);
}

/** The newest backup in a folder. @throws RelayError `backup-missing` */
export async function newestGeneration(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const newest = names
    .filter((name) => name.endsWith(SUFFIX))
    .toSorted()
    .at(-1);
  if (newest === undefined) throw new RelayError('backup-missing', 'there is no backup in this folder');
  return newest.slice(0, -SUFFIX.length);
}

/** Removes what backups that were broken off have left. Nobody may be making one. */
export async function dropDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.endsWith(`${SUFFIX}.new`)) await rm(join(folder, name), { force: true });
}

/** The first record of a file. */
export function headRecord(kind: 'main' | 'keys', { migration, relayKey }: Head): CborValue {
  return ['keytide-backup', 1, kind, migration, relayKey];
}

/** Reads it. @throws RelayError `backup-damaged` */
export async function readHead(path: string, kind: 'main' | 'keys'): Promise<Head> {
  for await (const [name, version, of, migration, relayKey] of readRecordFile(path)) {
    if (name !== 'keytide-backup' || version !== 1 || of !== kind) break;
    if (typeof migration === 'number' && relayKey instanceof Uint8Array) return { migration, relayKey };
    break;
  }
  throw damaged();
}
