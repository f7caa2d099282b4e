import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { idBytes } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import { blobsIn, dropBlobs, knownIn, type IndexedBlob } from '../backup/blob-files.ts';
import type { BlobName } from '../blob-index.ts';
import { blobFolderOf, type BlobStore } from '../blob-store.ts';
import { RelayError } from '../errors.ts';
import { s3BlobStore } from '../s3-blob-store.ts';
import type { SqlRunner } from '../sql/database.ts';
import { visitDatabase } from '../sql/open.ts';
import { relayOptionsOf } from './config-options.ts';
import type { Config } from './config-schema.ts';
import { openBucket } from './open-blobs.ts';

/** How far a move has come. */
interface Moved {
  readonly blobs: number;
  readonly sizeBytes: number;
}

/**
 * Moves the bytes of blobs from files into another store, one blob after the other: a file is removed when all that
 * counts of it is there. So it may be broken off at any moment and called again. No relay may write to the files.
 * @throws RelayError `blobs-failed`, `database-failed`; what was moved until then stays moved
 */
export async function moveBlobs(
  runner: Pick<SqlRunner, 'query'>,
  { from, to }: { readonly from: string; readonly to: BlobStore },
  progress: (done: Moved) => void,
): Promise<Moved> {
  let done = { blobs: 0, sizeBytes: 0 };
  for await (const blob of blobsIn(runner)) {
    const sizeBytes = await moveOne(blob, join(from, blob.org, blob.id), to);
    if (sizeBytes === null) continue;
    done = { blobs: done.blobs + 1, sizeBytes: done.sizeBytes + sizeBytes };
    progress(done);
  }
  // What was forgotten meanwhile the relay looks for in the other store; folders of other organisations are not ours.
  const isKnown = knownIn(runner);
  const left = await dropBlobs(from, async (blob) => (await isKnown(blob)) || !(await isHere(runner, blob)));
  if (left > 0) throw new RelayError('blobs-failed', 'files of what was forgotten cannot be removed');
  return done;
}

async function isHere(runner: Pick<SqlRunner, 'query'>, { org }: BlobName): Promise<boolean> {
  return (await runner.query('select 1 as one from organisations where org = $1', [idBytes(org)])).length > 0;
}

/** How many bytes were moved; `null` without a file. */
async function moveOne(blob: IndexedBlob, path: string, to: BlobStore): Promise<number | null> {
  const there = await stat(path).catch(() => null);
  if (there === null) return null;
  // What is behind that is of a write that was broken off.
  const endBytes = Math.min(there.size, blob.receivedBytes);
  if (there.size < blob.receivedBytes && blob.receivedBytes === blob.sizeBytes)
    throw new RelayError('blobs-failed', 'a file of an attachment is shorter than it has to be');
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new RelayError('blobs-failed', 'a file of an attachment cannot be read', { cause });
  });
  try {
    for (let at = 0; at < endBytes; at += LIMITS.blobPieceBytes) {
      const bytes = new Uint8Array(Math.min(LIMITS.blobPieceBytes, endBytes - at));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
      if (bytesRead !== bytes.length)
        throw new RelayError('blobs-failed', 'a file of an attachment became shorter');
      await to.write(blob, at, bytes);
    }
  } finally {
    await file.close();
  }
  await rm(path, { force: true });
  return endBytes;
}

/** Moves them into the bucket of a configuration, and says how far it is. @throws RelayError as `moveBlobs` and `openBucket` */
export async function runMoveBlobs(
  config: Config,
  chosen: { readonly from?: string },
  print: (line: object) => void,
): Promise<0> {
  const { database } = relayOptionsOf(config);
  const bucket = await openBucket(config, process.env);
  if (bucket === null || database.kind === 'memory')
    throw new RelayError('bad-reference', 's3Bucket: name the bucket that attachments are to be moved into');
  const visited = await visitDatabase(database);
  if (visited === null) throw new RelayError('not-found', 'there is no database yet: serve makes it');
  let toldMs = performance.now();
  try {
    const places = { from: chosen.from ?? blobFolderOf(database), to: s3BlobStore(bucket) };
    const moved = await moveBlobs(visited, places, (done) => {
      if (performance.now() - toldMs < TOLD_MS) return;
      toldMs = performance.now();
      print({ event: 'moving-blobs', ...done });
    });
    print({ event: 'moved-blobs', ...moved });
    return 0;
  } finally {
    await visited.close();
  }
}

const TOLD_MS = 5_000;
