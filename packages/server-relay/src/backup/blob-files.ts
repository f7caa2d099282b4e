import { copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromHex, toHex } from '@keytide/crypto-core';
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
  for await (const { path, sizeBytes, isWhole } of blobsIn(runner)) {
    if (!isWhole || (await sizeOf(join(to, path))) === sizeBytes) continue;
    // It may have been forgotten since.
    if ((await sizeOf(join(from, path))) !== sizeBytes) continue;
    await copyWhole(join(from, path), join(to, path));
    copied += 1;
  }
  return copied;
}

/** Forgets what the index has of blobs whose bytes are not in the folder. */
export async function forgetMissingBlobs(runner: SqlRunner, folder: string): Promise<void> {
  for await (const { path, sizeBytes } of blobsIn(runner)) {
    if ((await sizeOf(join(folder, path))) === sizeBytes) continue;
    const [org, blob] = path.split('/').map((part) => fromHex(part) as Uint8Array);
    await runner.query('select forget_blob($1, $2)', [org as Uint8Array, blob as Uint8Array]);
  }
}

/** Removes the bytes of blobs that the index does not have, and copies that were broken off. */
export async function dropBlobs(runner: Pick<SqlRunner, 'query'>, folder: string): Promise<void> {
  for (const org of await namesIn(folder))
    for (const blob of await namesIn(join(folder, org))) {
      if (!NAMES.test(`${org}/${blob}`)) continue;
      const [id, of] = [fromHex(blob), fromHex(org)];
      const known =
        id === null || of === null
          ? []
          : await runner.query('select 1 as one from blobs where org = $1 and blob = $2', [of, id]);
      if (known.length === 0) await rm(join(folder, org, blob), { force: true });
    }
}

async function* blobsIn(
  runner: SqlRunner,
): AsyncGenerator<{ path: string; sizeBytes: number; isWhole: boolean }, void, undefined> {
  let after: Uint8Array[] = [new Uint8Array(), new Uint8Array()];
  for (;;) {
    const rows = await runner.query(
      `select org, blob, size_bytes, (received_bytes = size_bytes)::text as whole from blobs
       where (org, blob) > ($1, $2) order by org, blob limit 500`,
      after,
    );
    for (const row of rows) {
      after = [row['org'] as Uint8Array, row['blob'] as Uint8Array];
      const path = after.map(toHex).join('/');
      yield { path, sizeBytes: row['size_bytes'] as number, isWhole: row['whole'] === 'true' };
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

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
