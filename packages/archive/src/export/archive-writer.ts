import { equalBytes, type Encapsulator, type Primitives, type Random } from '@keytide/crypto-core';
import { sealAge } from '../age/age-file.ts';
import { isArchiveName } from '../container/names.ts';
import type { ByteStream, Destination, FileDigest } from '../container/destination.ts';

/** Puts files into an archive, and remembers them. */
export interface ArchiveWriter {
  readonly files: ReadonlyMap<string, FileDigest>;
  /** Writes a file that anybody may read. */
  write(name: string, bytes: ByteStream): Promise<void>;
  /** Writes a file that only the recipients can read. */
  seal(name: string, plain: ByteStream): Promise<void>;
  /** Takes a file from before the stop for the archive's. Whether there is one: with just these bytes, if they are given. */
  keep(name: string, bytes?: Uint8Array): Promise<boolean>;
  /** Removes what is there of an archive and was not written, kept or named; what is no archive's is not touched. */
  removeOthers(names: readonly string[]): Promise<void>;
}

/** What an `ArchiveWriter` writes with. */
interface WriterOptions {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly destination: Destination;
  readonly recipients: readonly Encapsulator[];
}

/** A writer into what an earlier run may have begun. */
export async function archiveWriter(options: WriterOptions): Promise<ArchiveWriter> {
  const { primitives, random, destination, recipients } = options;
  const files = new Map<string, FileDigest>();
  const present = new Set<string>();
  for await (const { name } of destination.list()) present.add(name);

  async function write(name: string, bytes: ByteStream): Promise<void> {
    files.set(name, await destination.write(name, bytes));
  }

  return {
    files,
    write,
    seal: (name, plain) => write(name, sealAge(plain, { primitives, random, recipients })),
    async keep(name, bytes) {
      if (!present.has(name)) return false;
      const digest = await destination.digest(name);
      if (bytes !== undefined && !equalBytes(digest.sha256, primitives.sha256(bytes))) return false;
      files.set(name, digest);
      return true;
    },
    async removeOthers(names) {
      for await (const { name } of destination.list())
        if (isArchiveName(name) && !files.has(name) && !names.includes(name)) await destination.remove(name);
    },
  };
}
