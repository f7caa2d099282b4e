/** A file as it is kept: its length, and the SHA-256 of its bytes (32 bytes). */
export interface FileDigest {
  readonly sizeBytes: number;
  readonly sha256: Uint8Array;
}

/** Bytes that come in pieces of any size. A piece stays as it is, also when the next one was asked for. */
export type ByteStream = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Where an archive is read from: a folder, a bucket, a file of files. Names have `/` between folders. */
export interface ArchiveFiles {
  /** Every file, in no order; nothing that was broken off in the middle. */
  list(): AsyncIterable<{ readonly name: string; readonly sizeBytes: number }>;
  /** The bytes of a file, in pieces. @throws ArchiveError `missing-file` */
  read(name: string): AsyncIterable<Uint8Array>;
  /** Reads all of a file; a few are asked for at a time. @throws ArchiveError `missing-file` */
  digest(name: string): Promise<FileDigest>;
}

/**
 * Where an archive is written to. A file is there as a whole or not at all, also after the process was killed;
 * `destinationConformance` of testkit is what an adapter owes.
 */
export interface Destination extends ArchiveFiles {
  /**
   * Writes a file, or puts another in its place. Durable when it resolves; when it rejects, what was there is.
   * @throws ArchiveError `destination-full` where there is no room; otherwise what `bytes` or the place throws
   */
  write(name: string, bytes: ByteStream): Promise<FileDigest>;
  /** Removes a file, durably; nothing where there is none. */
  remove(name: string): Promise<void>;
}
