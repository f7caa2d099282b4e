import { equalBytes } from '@keytide/crypto-core';
import type { ArchiveFiles } from '../container/destination.ts';
import { ArchiveError } from '../errors.ts';

/** Files of an archive that is what was signed. */
export interface VerifiedFiles extends Pick<ArchiveFiles, 'read'> {
  has(name: string): boolean;
  names(): Iterable<string>;
}

/** Files that are read only if their bytes are those that a manifest lists, under SHA-256. */
export function verifiedFiles(files: ArchiveFiles, listed: ReadonlyMap<string, Uint8Array>): VerifiedFiles {
  return {
    has: (name) => listed.has(name),
    names: () => listed.keys(),
    async *read(name) {
      const hash = listed.get(name);
      if (hash === undefined) throw new ArchiveError('missing-file', 'not a file of this archive');
      const { sha256 } = await files.digest(name);
      if (!equalBytes(sha256, hash)) throw new ArchiveError('damaged', 'a file is not what was written');
      yield* files.read(name);
    },
  };
}
