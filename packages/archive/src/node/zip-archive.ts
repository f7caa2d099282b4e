import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sorted, toHex } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import { openPromise, type Entry, type ZipFile } from 'yauzl';
import type { ArchiveFiles } from '../container/destination.ts';
import { isArchiveName } from '../container/names.ts';
import { ArchiveError } from '../errors.ts';
import { counter, inArchiveTerms, syncFolder } from './whole-file.ts';
import { openJournal } from './zip-journal.ts';

const OWNER_ONLY = 0o600;

/**
 * Writes an archive as one ZIP file, uncompressed, in the order of the names: the same archive gives the same bytes.
 * Whole or not at all; stopped, it is begun anew, and the archive that it is made of is not touched.
 * @throws ArchiveError `destination-full`; `unexpected-file` for a name that no archive has; whatever `files` throws,
 * also when `signal` is aborted
 */
export async function writeZip(
  files: ArchiveFiles,
  path: string,
  { signal, onFile }: { readonly signal?: AbortSignal; readonly onFile?: (name: string) => void } = {},
): Promise<void> {
  const names: string[] = [];
  for await (const { name } of files.list()) names.push(name);
  const draft = join(dirname(path), `.unfinished-${toHex(nodeRandom(8))}`);
  try {
    const file = await open(draft, 'wx+', OWNER_ONLY);
    try {
      const journal = await openJournal(file, false);
      for (const name of sorted(names)) {
        if (!isArchiveName(name)) throw new ArchiveError('unexpected-file', 'not a name that an archive has');
        onFile?.(name);
        await journal.write(name, stoppable(files.read(name), signal));
      }
      await journal.finish([]);
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(draft, { force: true });
    throw inArchiveTerms(error);
  }
}

async function* stoppable(
  bytes: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    signal?.throwIfAborted();
    yield piece;
  }
}

/** An archive in a ZIP file. `close` it. */
export interface ZippedArchive extends ArchiveFiles {
  close(): void;
}

/** Opens a ZIP file as an archive. @throws ArchiveError `malformed` for what is none, `missing-file` where there is none */
export async function openZip(path: string): Promise<ZippedArchive> {
  const zip = await opened(path);
  const entries = await entriesOf(zip).catch((error: unknown) => {
    zip.close();
    throw error;
  });

  async function* read(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    const entry = entries.get(name);
    if (entry === undefined) throw new ArchiveError('missing-file', 'a file of the archive is not there');
    try {
      yield* await zip.openReadStreamPromise(entry);
    } catch (cause) {
      throw new ArchiveError('damaged', 'a file in the ZIP file cannot be read', { cause });
    }
  }

  return {
    async *list() {
      for (const [name, { uncompressedSize }] of entries)
        if (!name.endsWith('/')) yield { name, sizeBytes: uncompressedSize };
    },
    read,
    async digest(name) {
      const counting = counter();
      for await (const piece of read(name)) counting.add(piece);
      return counting.digest();
    },
    close: () => zip.close(),
  };
}

async function opened(path: string): Promise<ZipFile> {
  try {
    return await openPromise(path, { autoClose: false });
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw isMissing
      ? new ArchiveError('missing-file', 'there is no such ZIP file', { cause })
      : new ArchiveError('malformed', 'not a ZIP file', { cause });
  }
}

/** @throws ArchiveError `malformed`, also for a name that is there twice: which of them is read would be up to the program */
async function entriesOf(zip: ZipFile): Promise<ReadonlyMap<string, Entry>> {
  const entries = new Map<string, Entry>();
  try {
    for await (const entry of zip.eachEntry()) {
      if (entries.has(entry.fileName)) throw new Error('a name that is there twice');
      entries.set(entry.fileName, entry);
    }
  } catch (cause) {
    throw new ArchiveError('malformed', 'not a ZIP file of an archive', { cause });
  }
  return entries;
}
