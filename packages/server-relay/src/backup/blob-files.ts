import { copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromHex, idBytes, orgId, toHex } from '@keytide/crypto-core';
import type { BlobName } from '../blob-index.ts';
import { RelayError } from '../errors.ts';
import type { SqlRunner } from '../sql/database.ts';
import { syncFolder } from '../sync-folder.ts';

/** Whatever else is in a folder is not ours. */
const NAMES = /^[0-9a-f]{64}\/[0-9a-f]{64}(?:\.new)?$/u;

/** Copies the bytes of every whole blob that are not there yet: they never change. How many were copied. */
export async function copyBlobs(
  runner: SqlRunner,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<number> {
  let copied = 0;
  for await (const { org, id, sizeBytes, receivedBytes } of blobsIn(runner)) {
    const path = join(org, id);
    if (receivedBytes < sizeBytes || (await sizeOf(join(to, path))) === sizeBytes) continue;
    // It may have been forgotten since.
    if ((await sizeOf(join(from, path))) !== sizeBytes) continue;
    await copyWhole(join(from, path), join(to, path));
    copied += 1;
  }
  return copied;
}

/** Forgets what the index has of blobs whose bytes are not in the folder. */
export async function forgetMissingBlobs(runner: SqlRunner, folder: string): Promise<void> {
  for await (const { org, id, sizeBytes } of blobsIn(runner)) {
    if ((await sizeOf(join(folder, org, id))) === sizeBytes) continue;
    await runner.query('select forget_blob($1, $2)', [idBytes(org), fromHex(id) as Uint8Array]);
  }
}

/**
 * Removes the bytes of blobs that the index does not have, and copies that were broken off. How many were left, as what
 * cannot be removed now: never throws.
 */
export async function dropBlobs(
  folder: string,
  isKnown: (blob: BlobName) => Promise<boolean>,
): Promise<number> {
  let left = 0;
  const tried = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') left += 1;
      return otherwise;
    }
  };
  for (const org of await tried(() => readdir(folder), []))
    for (const id of await tried(() => namesIn(join(folder, org)), [])) {
      if (!NAMES.test(`${org}/${id}`)) continue;
      await tried(async () => {
        const isDraft = fromHex(id) === null;
        if (isDraft || !(await isKnown({ org: orgId(org), id }))) await rm(join(folder, org, id));
      }, undefined);
    }
  return left;
}

/** Whether an index has a blob, as it is in this database. */
export function knownIn(runner: Pick<SqlRunner, 'query'>): (blob: BlobName) => Promise<boolean> {
  return async ({ org, id }) => {
    const key = [idBytes(org), fromHex(id) as Uint8Array];
    return (await runner.query('select 1 as one from blobs where org = $1 and blob = $2', key)).length > 0;
  };
}

/** A blob as the index has it. */
export interface IndexedBlob extends BlobName {
  readonly sizeBytes: number;
  /** How many of them count. */
  readonly receivedBytes: number;
}

/** All that the index has, some at a time. */
export async function* blobsIn(
  runner: Pick<SqlRunner, 'query'>,
): AsyncGenerator<IndexedBlob, void, undefined> {
  let after: Uint8Array[] = [new Uint8Array(), new Uint8Array()];
  for (;;) {
    const rows = await runner.query(
      `select org, blob, size_bytes, received_bytes from blobs
       where (org, blob) > ($1, $2) order by org, blob limit 500`,
      after,
    );
    for (const row of rows) {
      after = [row['org'] as Uint8Array, row['blob'] as Uint8Array];
      yield {
        org: orgId(row['org'] as Uint8Array),
        id: toHex(row['blob'] as Uint8Array),
        sizeBytes: row['size_bytes'] as number,
        receivedBytes: row['received_bytes'] as number,
      };
    }
    if (rows.length < 500) return;
  }
}

async function copyWhole(from: string, to: string): Promise<void> {
  const draft = `${to}.new`;
  try {
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await copyFile(from, draft);
    const file = await open(draft, 'r+');
    await file.sync().finally(() => file.close());
    await rename(draft, to);
    await syncFolder(dirname(to));
  } catch (cause) {
    throw new RelayError('blobs-failed', 'the bytes of a blob cannot be copied', { cause });
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => ({ size: -1 }))).size;
}

/** What is in a folder; nothing where it is none. */
async function namesIn(path: string): Promise<string[]> {
  return (await stat(path)).isDirectory() ? readdir(path) : [];
}
