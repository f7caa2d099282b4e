import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toHex } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import type { Destination } from '../container/destination.ts';
import { isArchiveName } from '../container/names.ts';
import { ArchiveError } from '../errors.ts';
import { throughPieces } from '../pieces.ts';
import { readPieces } from './file-pieces.ts';
import { codeOf, counter, inArchiveTerms, syncFolder, writeWhole } from './whole-file.ts';

/** What the name of a file that is not whole begins with. */
const UNFINISHED = '.unfinished-';
const OWNER_ONLY = 0o700;

/**
 * A folder as the place of an archive; it is made with the first file. A file is written beside the others, made
 * durable, and then renamed. Links are not followed, neither for
 * files nor for folders: one is a file of no bytes. One writer at a time: what another
 * has not finished is removed, and its writing fails.
 */
export function folderDestination(folder: string): Destination {
  const draft = join(folder, `${UNFINISHED}${toHex(nodeRandom(8))}`);
  let isPrepared = false;

  async function prepare(): Promise<void> {
    if (isPrepared) return;
    await mkdir(folder, { recursive: true, mode: OWNER_ONLY });
    for (const name of await readdir(folder))
      if (name.startsWith(UNFINISHED)) await rm(join(folder, name), { force: true });
    isPrepared = true;
  }

  async function pathOf(name: string): Promise<string> {
    if (!isArchiveName(name)) throw new ArchiveError('unexpected-file', 'not a name that an archive has');
    await assertFolders(folder, name);
    return join(folder, ...name.split('/'));
  }

  return {
    list: () => filesIn(folder, ''),
    async *read(name) {
      yield* piecesOf(await pathOf(name));
    },
    async digest(name) {
      const counting = counter();
      await throughPieces(piecesOf(await pathOf(name)), counting.add);
      return counting.digest();
    },
    async write(name, bytes) {
      const path = await pathOf(name);
      try {
        await prepare();
        const digest = await writeWhole(draft, bytes);
        await makeFolders(folder, name);
        await rename(draft, path);
        await syncFolder(dirname(path));
        return digest;
      } catch (error) {
        await rm(draft, { force: true });
        throw inArchiveTerms(error);
      }
    },
    async remove(name) {
      const path = await pathOf(name);
      await rm(path, { force: true });
      await syncFolder(dirname(path)).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
    },
  };
}

/** Files that no archive has as well: whoever checks it is to see them. */
async function* filesIn(folder: string, within: string): AsyncGenerator<{ name: string; sizeBytes: number }> {
  for (const entry of await entriesOf(join(folder, within), within === '')) {
    const name = within === '' ? entry.name : `${within}/${entry.name}`;
    if (entry.isDirectory()) yield* filesIn(folder, name);
    else if (within !== '' || !name.startsWith(UNFINISHED))
      yield { name, sizeBytes: entry.isFile() ? (await stat(join(folder, name))).size : 0 };
  }
}

async function entriesOf(path: string, mayBeMissing: boolean) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (mayBeMissing && codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function* piecesOf(path: string): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  const file = await openFile(path);
  try {
    yield* readPieces(file);
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    // Not waiting: a pipe of that name would have us wait for its other end.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ELOOP') throw error;
    throw new ArchiveError('missing-file', 'a file of the archive is not there', { cause: error });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new ArchiveError('missing-file', 'a file of the archive is no file');
}

/** @throws ArchiveError `unexpected-file` where a folder of a name is a link, or no folder: it may lead into another archive */
async function assertFolders(folder: string, name: string): Promise<void> {
  let path = folder;
  for (const part of name.split('/').slice(0, -1)) {
    path = join(path, part);
    try {
      if (!(await lstat(path)).isDirectory())
        throw new ArchiveError('unexpected-file', 'a link, or a file, where the archive has a folder');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return;
    }
  }
}

/** Makes the folders of a name, and each of them durable in the one that it is in. */
async function makeFolders(folder: string, name: string): Promise<void> {
  let path = folder;
  for (const part of name.split('/').slice(0, -1)) {
    const within = path;
    path = join(path, part);
    const isNew = await mkdir(path, { mode: OWNER_ONLY }).then(
      () => true,
      (error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
        return false;
      },
    );
    if (isNew) await syncFolder(within);
  }
}
