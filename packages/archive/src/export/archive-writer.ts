import { equalBytes, type Encapsulator, type Random } from '@keytide/crypto-core';
import { sealAge } from '../age/age-file.ts';
import { isArchiveName, NAMES } from '../container/names.ts';
import type { ByteStream, Destination, FileDigest } from '../container/destination.ts';
import { readFile } from '../container/read-file.ts';
import { encodeKept, readKept, type Keeping, type KeptFiles } from './kept-files.ts';

/** Puts files into an archive, and remembers them. */
export interface ArchiveWriter {
  readonly files: ReadonlyMap<string, FileDigest>;
  /** What this device has written here, also before a stop: nothing else of what is found is taken. */
  readonly kept: KeptFiles;
  /** Writes a file that anybody may read. */
  write(name: string, bytes: ByteStream): Promise<void>;
  /** Writes a file that only the recipients can read. */
  seal(name: string, plain: ByteStream): Promise<void>;
  /** Takes a file from before the stop for the archive's. Whether there is one, just as this device has written it. */
  keep(name: string): Promise<boolean>;
  /** The bytes of a file from before the stop, just as this device has written it; `null` where there is none. */
  read(name: string, mostBytes: number): Promise<Uint8Array | null>;
  /** Makes what was written so far be known after a stop: now, or when it is so much that it would be a pity. */
  record(when: 'now' | 'when due'): Promise<void>;
  /** Removes what is there of an archive and was not written, kept or named; what is no archive's is not touched. */
  removeOthers(names: readonly string[]): Promise<void>;
}

/** What an `ArchiveWriter` writes with. */
interface WriterOptions extends Keeping {
  readonly random: Random;
  readonly destination: Destination;
  readonly recipients: readonly Encapsulator[];
}

/** How much may have been written in vain; and at least so many times what it takes to write down what was written. */
const DUE_BYTES = 16 * 1024 * 1024;
const DUE_TIMES = 4;

/** A writer into what an earlier run may have begun. */
export async function archiveWriter(options: WriterOptions): Promise<ArchiveWriter> {
  const { primitives, random, destination, recipients } = options;
  const files = new Map<string, FileDigest>();
  const present = new Set<string>();
  for await (const { name } of destination.list()) present.add(name);
  const kept = await readKept(options, destination);
  let recordBytes = 0;
  let unrecordedBytes = 0;

  async function write(name: string, bytes: ByteStream): Promise<void> {
    const digest = await destination.write(name, bytes);
    files.set(name, digest);
    kept.files.set(name, digest);
    unrecordedBytes += digest.sizeBytes;
  }

  return {
    ...{ files, kept, write },
    seal: (name, plain) => write(name, sealAge(plain, { primitives, random, recipients })),
    async keep(name) {
      const known = kept.files.get(name);
      if (known === undefined || !present.has(name)) return false;
      const digest = await destination.digest(name);
      if (!equalBytes(digest.sha256, known.sha256)) return false;
      files.set(name, digest);
      return true;
    },
    async read(name, mostBytes) {
      const known = kept.files.get(name);
      if (known === undefined || !present.has(name)) return null;
      const bytes = await readFile(destination, name, mostBytes);
      return equalBytes(primitives.sha256(bytes), known.sha256) ? bytes : null;
    },
    async record(when) {
      if (when === 'when due' && unrecordedBytes < Math.max(DUE_BYTES, DUE_TIMES * recordBytes)) return;
      const bytes = await encodeKept(options, kept);
      await destination.write(NAMES.kept, [bytes]);
      recordBytes = bytes.length;
      unrecordedBytes = 0;
    },
    async removeOthers(names) {
      for await (const { name } of destination.list())
        if (isArchiveName(name) && !files.has(name) && !names.includes(name)) await destination.remove(name);
    },
  };
}
