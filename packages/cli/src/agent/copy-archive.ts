import {
  ArchiveError,
  readSignedManifest,
  type ArchiveErrorCode,
  type ArchiveFiles,
  type Destination,
  type SignedManifest,
} from '@keytide/archive';
import { equalBytes } from '@keytide/crypto-core';

/** Without it there is no archive, so it comes last. */
const LAST = 'signed-manifest';

/**
 * Makes one place say what another does. Files that are the same already stay, so that a copy that was broken off goes
 * on; others are written anew. Another archive of that name stays what it is.
 * @throws ArchiveError `other-export` where there is one; what either place throws, and the signal's reason
 */
export async function copyArchive(from: ArchiveFiles, to: Destination, signal: AbortSignal): Promise<void> {
  const there = new Map<string, number>();
  for await (const { name, sizeBytes } of to.list()) there.set(name, sizeBytes);
  if (there.has(LAST)) await requireSameArchive(from, to);
  const files: { name: string; sizeBytes: number }[] = [];
  for await (const file of from.list()) files.push(file);
  files.sort((a, b) => Number(a.name === LAST) - Number(b.name === LAST));
  for (const { name, sizeBytes } of files) {
    signal.throwIfAborted();
    const isSame =
      there.get(name) === sizeBytes &&
      equalBytes((await to.digest(name)).sha256, (await from.digest(name)).sha256);
    if (!isSame) await to.write(name, from.read(name));
  }
}

/** Whose signed manifest cannot be read any more is a copy that rotted. */
async function requireSameArchive(from: ArchiveFiles, to: Destination): Promise<void> {
  let found: SignedManifest;
  try {
    found = await readSignedManifest(to);
  } catch (error) {
    if (error instanceof ArchiveError && ROTTEN.has(error.code)) return;
    throw error;
  }
  if (!equalBytes(found.manifest.id, (await readSignedManifest(from)).manifest.id))
    throw new ArchiveError('other-export', 'another archive has this name there');
}

const ROTTEN: ReadonlySet<ArchiveErrorCode> = new Set(['malformed', 'too-large', 'unsupported-version']);
