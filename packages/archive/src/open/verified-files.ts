import { concatBytes, equalBytes, type Primitives } from '@keytide/crypto-core';
import type { ArchiveFiles } from '../container/destination.ts';
import { ArchiveError } from '../errors.ts';

/** Files of an archive that is what was signed. */
export interface VerifiedFiles extends Pick<ArchiveFiles, 'read'> {
  has(name: string): boolean;
  names(): Iterable<string>;
}

/** What is read once and kept until it is known to be right: more than a segment has. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Files that are read only if their bytes are those that a manifest lists, under SHA-256. The place may change them at
 * any time: what is shown is what was hashed, up to 8 MiB. Of longer ones, which are attachments and lists that are
 * checked by themselves, another reading is hashed than is given out.
 */
export function verifiedFiles(
  primitives: Primitives,
  files: ArchiveFiles,
  listed: ReadonlyMap<string, Uint8Array>,
): VerifiedFiles {
  return {
    has: (name) => listed.has(name),
    names: () => listed.keys(),
    async *read(name) {
      const hash = listed.get(name);
      if (hash === undefined) throw new ArchiveError('missing-file', 'not a file of this archive');
      const kept = await shortFile(files, name);
      const sha256 = kept === null ? (await files.digest(name)).sha256 : primitives.sha256(kept);
      if (!equalBytes(sha256, hash)) throw new ArchiveError('damaged', 'a file is not what was written');
      if (kept === null) yield* files.read(name);
      else yield kept;
    },
  };
}

/** All of it, or `null` for a file that is too long to be kept. */
async function shortFile(files: ArchiveFiles, name: string): Promise<Uint8Array | null> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of files.read(name)) {
    pieces.push(piece);
    sizeBytes += piece.length;
    if (sizeBytes > MAX_KEPT_BYTES) return null;
  }
  return concatBytes(...pieces);
}
