import { nodePrimitives } from '@keytide/crypto-core/node';
import { concatBytes } from '@keytide/crypto-core';
import { ArchiveError, type Destination, type FileDigest } from '../src/index.ts';
import { isArchiveName } from '../src/container/names.ts';

/** A place in memory, whose files can be looked at. */
export interface MemoryDestination extends Destination {
  readonly files: Map<string, Uint8Array>;
}

/** @param onWrite called before each change, with the size of what is written; what it throws is what the place throws */
export function memoryDestination(
  onWrite: (sizeBytes: number) => void = () => {},
  files: Map<string, Uint8Array> = new Map(),
): MemoryDestination {
  const at = (name: string): Uint8Array => {
    known(name);
    const bytes = files.get(name);
    if (bytes === undefined) throw new ArchiveError('missing-file', 'not there');
    return bytes;
  };
  return {
    files,
    async *list() {
      for (const [name, { length }] of files) yield { name, sizeBytes: length };
    },
    async *read(name) {
      yield at(name).slice();
    },
    digest: async (name) => digestOf(at(name)),
    async write(name, bytes) {
      known(name);
      const pieces: Uint8Array[] = [];
      for await (const piece of bytes) pieces.push(piece.slice());
      const whole = concatBytes(...pieces);
      onWrite(whole.length);
      files.set(name, whole);
      return digestOf(whole);
    },
    async remove(name) {
      known(name);
      onWrite(0);
      files.delete(name);
    },
  };
}

function known(name: string): void {
  if (!isArchiveName(name)) throw new ArchiveError('unexpected-file', 'not a name that an archive has');
}

function digestOf(bytes: Uint8Array): FileDigest {
  return { sizeBytes: bytes.length, sha256: nodePrimitives.sha256(bytes) };
}
