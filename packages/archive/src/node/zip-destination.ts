import { lstat, open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ArchiveFiles, Destination } from '../container/destination.ts';
import { isArchiveName, NAMES } from '../container/names.ts';
import { ArchiveError } from '../errors.ts';
import { codeOf, counter, inArchiveTerms, syncFolder } from './whole-file.ts';
import { openZip, type ZippedArchive } from './zip-archive.ts';
import { openJournal, type ZipJournal } from './zip-journal.ts';

/** A ZIP file as the place of an archive. `close` it. */
export interface ZipDestination extends Destination {
  close(): Promise<void>;
}

const OWNER_ONLY = 0o600;

/**
 * A ZIP file as the place of an archive, without a folder in between. What is not whole is beside it, under its name
 * and `.unfinished`, each file at the end of those before, so that an export goes on where it was; with the removal of
 * `plan.json` it gets its name, and is written to no more (`not-empty`). It takes nobody's place: where something came
 * to have that name meanwhile, all is refused (`not-empty`) until one of the two is moved away. Files that another took the place of, or that
 * were removed, stay in it unlisted. One writer at a time.
 */
export function zipDestination(path: string): ZipDestination {
  const draftPath = `${path}.unfinished`;
  let draft: { readonly file: FileHandle; readonly journal: ZipJournal } | null = null;
  let whole: ZippedArchive | null = null;

  async function take(flags: 'r+' | 'wx+'): Promise<void> {
    const file = await open(draftPath, flags, OWNER_ONLY).catch((error: unknown) => {
      if (flags === 'r+' && codeOf(error) === 'ENOENT') return null;
      if (codeOf(error) === 'EEXIST')
        throw new ArchiveError('other-export', 'another export was begun here at the same time');
      throw inArchiveTerms(error);
    });
    if (file === null) return;
    await requireFree().catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
    draft = { file, journal: await openJournal(file, true) };
  }

  /** What was begun is this archive, and what has its name is another one. */
  async function requireFree(): Promise<void> {
    const isFree = await lstat(path).then(
      () => false,
      (error: unknown) => {
        if (codeOf(error) === 'ENOENT') return true;
        throw error;
      },
    );
    if (!isFree)
      throw new ArchiveError(
        'not-empty',
        'another file has the name that this one is to have: move one of the two away',
      );
  }

  /** What there is: what was begun, or the whole archive. */
  async function look(): Promise<Pick<ArchiveFiles, 'list' | 'read'> | null> {
    if (draft === null && whole === null) await take('r+');
    if (draft !== null) return draft.journal;
    whole ??= await openZip(path).catch((error: unknown) => {
      if (error instanceof ArchiveError && error.code === 'missing-file') return null;
      throw error;
    });
    return whole;
  }

  async function journal(): Promise<ZipJournal> {
    if ((await look()) === null) {
      await take('wx+');
      await syncFolder(dirname(path));
    }
    if (draft === null) throw new ArchiveError('not-empty', 'a ZIP file that is whole is not written to');
    return draft.journal;
  }

  async function finish({ file, journal: finished }: NonNullable<typeof draft>): Promise<void> {
    await finished.finish([NAMES.plan]);
    await requireFree();
    await rename(draftPath, path);
    draft = null;
    await file.close();
    await syncFolder(dirname(path));
  }

  async function* read(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    requireName(name);
    const files = await look();
    if (files === null) throw missing();
    yield* files.read(name);
  }

  return {
    async *list() {
      const files = await look();
      if (files !== null) yield* files.list();
    },
    read,
    async digest(name) {
      const counting = counter();
      for await (const piece of read(name)) counting.add(piece);
      return counting.digest();
    },
    async write(name, bytes) {
      requireName(name);
      const growing = await journal();
      return await growing.write(name, bytes).catch((error: unknown) => {
        throw inArchiveTerms(error);
      });
    },
    async remove(name) {
      requireName(name);
      await look();
      if (draft === null || !draft.journal.has(name)) return;
      if (name === NAMES.plan)
        await finish(draft).catch((error: unknown) => {
          throw inArchiveTerms(error);
        });
      else await draft.journal.remove(name);
    },
    async close() {
      whole?.close();
      await draft?.file.close();
      [whole, draft] = [null, null];
    },
  };
}

function requireName(name: string): void {
  if (!isArchiveName(name)) throw new ArchiveError('unexpected-file', 'not a name that an archive has');
}

function missing(): ArchiveError {
  return new ArchiveError('missing-file', 'a file of the archive is not there');
}
