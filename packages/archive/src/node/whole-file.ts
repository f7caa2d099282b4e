import { open } from 'node:fs/promises';
import { sha256InPieces } from '@keytide/crypto-core/node';
import type { ByteStream, FileDigest } from '../container/destination.ts';
import { ArchiveError } from '../errors.ts';
import { writePieces } from './file-pieces.ts';

const OWNER_ONLY = 0o600;
const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Writes a file that is not there yet, readable by its owner only. Durable, but for its name, when it resolves. */
export async function writeWhole(path: string, bytes: ByteStream): Promise<FileDigest> {
  const counting = counter();
  const file = await open(path, 'wx', OWNER_ONLY);
  try {
    await writePieces(file, bytes, counting.add);
    await file.sync();
  } finally {
    await file.close();
  }
  return counting.digest();
}

/** A name is durable only with its folder. Windows has no such call, and needs none. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Length and SHA-256 of what comes in pieces. */
export function counter(): { add(piece: Uint8Array): void; digest(): FileDigest } {
  const hashing = sha256InPieces();
  let sizeBytes = 0;
  return {
    add(piece) {
      hashing.add(piece);
      sizeBytes += piece.length;
    },
    digest: () => ({ sizeBytes, sha256: hashing.digest() }),
  };
}

/** No room for a file, in the words of an archive; any other error as it is. */
export function inArchiveTerms(error: unknown): unknown {
  if (!FULL.has(codeOf(error))) return error;
  return new ArchiveError('destination-full', 'no room for the next file', { cause: error });
}

/** The code of an error of the system. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
