import { lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { writePieces } from '@keytide/archive/node';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** A new folder for what was secret: for its owner alone, and there under its name only when it is whole. */
export interface PlainFolder {
  /** Writes a file that is not there yet. What the content throws is thrown, and nothing of the file stays. */
  write(name: string, content: string | AsyncIterable<Uint8Array>): Promise<void>;
  finish(): Promise<void>;
  /** Removes all that was written. */
  discard(): Promise<void>;
}

const OWNER_FOLDER = 0o700;
const OWNER_FILE = 0o600;
const NAME = /^(?:[A-Za-z0-9][A-Za-z0-9.-]*\/)*[A-Za-z0-9][A-Za-z0-9.-]*$/;

/**
 * Looks whether a folder can be made there: nothing is there yet, nothing is left of a run that was broken off, and it
 * is not in the archive where that is a folder, of which the plaintext would become a part. @throws CliError `file-exists`, `not-there`, `usage`
 */
export async function assertNewPlace(path: string, archive: string): Promise<void> {
  if (await isThere(path))
    throw new CliError('file-exists', EXIT.usage, `${path} exists already`, 'Give another name with --to.');
  if (await isThere(draftOf(path)))
    throw new CliError(
      'file-exists',
      EXIT.usage,
      `${draftOf(path)} is there, of a run that was broken off`,
      'It holds plaintext: delete it, and run the command again.',
    );
  const within = dirname(resolve(path));
  const parent = await realpath(within).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    const next = 'Make it first, or give another place with --to.';
    throw new CliError('not-there', EXIT.usage, `--to is in the folder ${within}, which is not there`, next);
  });
  if (!(await isThere(archive))) return;
  const place = join(parent, basename(path));
  const way = relative(await realpath(archive), place);
  if (!/^\.\.(?:[\\/]|$)/.test(way) && !isAbsolute(way))
    throw new CliError(
      'usage',
      EXIT.usage,
      '--to is in the archive, which would not be whole any more',
      'Give a place outside of it.',
    );
}

/** Begins such a folder. @throws CliError as `assertNewPlace` */
export async function newPlainFolder(path: string, archive: string): Promise<PlainFolder> {
  await assertNewPlace(path, archive);
  const draft = draftOf(path);
  await mkdir(draft, { mode: OWNER_FOLDER });
  const made = new Set(['.']);

  async function makeFolder(name: string): Promise<void> {
    if (made.has(name)) return;
    await makeFolder(dirname(name));
    await mkdir(join(draft, name), { mode: OWNER_FOLDER });
    made.add(name);
  }

  return {
    async write(name, content) {
      if (!NAME.test(name)) throw new RangeError('not a name for a file here');
      await makeFolder(dirname(name));
      const place = join(draft, name);
      const file = await open(place, 'wx', OWNER_FILE);
      try {
        if (typeof content === 'string') await file.writeFile(content);
        else await writePieces(file, content);
      } catch (error) {
        await rm(place, { force: true });
        throw withPath(error, path);
      } finally {
        await file.close();
      }
    },
    async finish() {
      if (await isThere(path))
        throw new CliError('file-exists', EXIT.usage, `${path} was made meanwhile`, 'Give another name.');
      await rename(draft, path);
    },
    discard: () => rm(draft, { recursive: true, force: true }),
  };
}

/** What the system says of an open file names no path: of a full disk, which one. */
function withPath(error: unknown, path: string): unknown {
  return error instanceof Error && 'syscall' in error && !('path' in error)
    ? Object.assign(error, { path })
    : error;
}

function draftOf(path: string): string {
  return `${resolve(path)}.unfinished`;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}
