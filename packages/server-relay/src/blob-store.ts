import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dropBlobs } from './backup/blob-files.ts';
import type { BlobName } from './blob-index.ts';
import { RelayError } from './errors.ts';
import type { DatabaseOptions } from './sql/database-options.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * Where the bytes of blobs are. The index says how many of them count: bytes after those are of a write that was
 * broken off, and are written again. `blobStoreConformance` in testkit says what an adapter owes.
 */
export interface BlobStore {
  /** Writes at an offset that is not beyond what is there; durable when it resolves. @throws RelayError `blobs-failed` */
  write(blob: BlobName, offset: number, bytes: Uint8Array): Promise<void>;
  /** Exactly these bytes. @throws RelayError `blobs-failed`, also when they are not there */
  read(blob: BlobName, offset: number, sizeBytes: number): Promise<Uint8Array>;
  /** Removes a blob; without one, nothing. @throws RelayError `blobs-failed` */
  remove(blob: BlobName): Promise<void>;
  /** Removes everything that is not known, where a restore may leave such: how much could not be. Never throws. */
  dropUnknown?(isKnown: (blob: BlobName) => Promise<boolean>): Promise<number>;
}

/** Blobs as files of a folder, which is made at the first write: ORG/BLOB, for the owner alone. */
export function folderBlobStore(folder: string): BlobStore {
  const pathOf = ({ org, id }: BlobName): string => join(folder, org, id);
  return {
    write: (blob, offset, bytes) =>
      inRelayTerms(async () => {
        if (offset === 0) await mkdir(join(folder, blob.org), { recursive: true, mode: 0o700 });
        // 'a' does not cut what is there; a write at a position needs 'r+', which does not make the file.
        if (offset === 0) await (await open(pathOf(blob), 'a', 0o600)).close();
        const file = await open(pathOf(blob), 'r+');
        try {
          const { bytesWritten } = await file.write(bytes, 0, bytes.length, offset);
          if (bytesWritten !== bytes.length) throw new Error(`${bytesWritten} of ${bytes.length} bytes`);
          await file.sync();
        } finally {
          await file.close();
        }
        if (offset === 0) await syncFolder(join(folder, blob.org));
      }),
    read: (blob, offset, sizeBytes) =>
      inRelayTerms(async () => {
        const bytes = new Uint8Array(sizeBytes);
        const file = await open(pathOf(blob), 'r');
        try {
          const { bytesRead } = await file.read(bytes, 0, sizeBytes, offset);
          if (bytesRead !== sizeBytes) throw new Error(`${bytesRead} of ${sizeBytes} bytes`);
        } finally {
          await file.close();
        }
        return bytes;
      }),
    remove: (blob) => inRelayTerms(() => rm(pathOf(blob), { force: true })),
    dropUnknown: (isKnown) => dropBlobs(folder, isKnown),
  };
}

/** Blobs that are gone with the process. */
export function memoryBlobStore(): BlobStore {
  const blobs = new Map<string, Uint8Array>();
  const keyOf = ({ org, id }: BlobName): string => `${org}/${id}`;
  return {
    write: (blob, offset, bytes) =>
      inRelayTerms(async () => {
        const before = blobs.get(keyOf(blob)) ?? new Uint8Array();
        if (offset > before.length) throw new Error('beyond the end');
        const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
        after.set(before);
        after.set(bytes, offset);
        blobs.set(keyOf(blob), after);
      }),
    read: (blob, offset, sizeBytes) =>
      inRelayTerms(async () => {
        const bytes = blobs.get(keyOf(blob))?.slice(offset, offset + sizeBytes);
        if (bytes?.length !== sizeBytes) throw new Error('not that long');
        return bytes;
      }),
    remove: (blob) => inRelayTerms(async () => void blobs.delete(keyOf(blob))),
  };
}

async function inRelayTerms<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new RelayError('blobs-failed', 'the bytes of a blob cannot be written or read', { cause });
  }
}

/** Where the bytes of blobs are that this database knows of. */
export function blobStoreOf(database: DatabaseOptions): BlobStore {
  return database.kind === 'memory' ? memoryBlobStore() : folderBlobStore(blobFolderOf(database));
}

/** The folder that has them as files. */
export function blobFolderOf(database: Exclude<DatabaseOptions, { kind: 'memory' }>): string {
  if (database.kind === 'pglite') return join(database.folder, 'blobs');
  return database.blobFolder ?? join(dirname(database.keyFile), 'blobs');
}
