import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { ArchiveFiles, ByteStream, FileDigest } from '../container/destination.ts';
import { isArchiveName } from '../container/names.ts';
import { ArchiveError } from '../errors.ts';
import { throughPieces } from '../pieces.ts';
import { counter } from './whole-file.ts';
import {
  centralDirectory,
  headerBytes,
  localHeader,
  readLocalHeader,
  REMOVED,
  type ZipRecord,
} from './zip-record.ts';

/** A ZIP file that grows, one file after the other. What it was opened with stays the caller's. */
export interface ZipJournal extends Pick<ArchiveFiles, 'list' | 'read'> {
  has(name: string): boolean;
  /** Appends a file; a process that is killed leaves it there as a whole, or the end as it was. */
  write(name: string, bytes: ByteStream): Promise<FileDigest>;
  /** Removes a file; nothing where there is none. */
  remove(name: string): Promise<void>;
  /** Writes the list of all files but these, with which it is a ZIP file for everybody. */
  finish(without: readonly string[]): Promise<void>;
}

const READ_BYTES = 1024 * 1024;
/** Longer than any header of an archive's file. */
const HEADER_BYTES = 512;

/**
 * Reads what is whole in such a file. A header is written behind its file's bytes, so where there is none, or where it
 * is not that of what follows, the file was not finished.
 * @param isDurable whether each file is to be on the disk before the next is begun
 */
export async function openJournal(file: FileHandle, isDurable: boolean): Promise<ZipJournal> {
  const records = new Map<string, ZipRecord>();
  let end = 0;
  for (const { record, isRemoved } of await recordsIn(file)) {
    end = record.offset + headerBytes(record.name) + record.sizeBytes;
    if (isRemoved) records.delete(record.name);
    else records.set(record.name, record);
  }

  async function sync(): Promise<void> {
    if (isDurable) await file.sync();
  }

  return {
    has: (name) => records.has(name),
    async *list() {
      for (const { name, sizeBytes } of records.values()) yield { name, sizeBytes };
    },
    async write(name, bytes) {
      // No header may be in what an earlier one has left.
      await file.truncate(end);
      const offset = end;
      let at = offset + headerBytes(name);
      let crc = 0;
      const counting = counter();
      try {
        const take = (piece: Uint8Array): void => {
          counting.add(piece);
          crc = crc32(piece, crc);
        };
        await throughPieces(bytes, take, async (piece) => {
          at = await writeAt(file, piece, at);
        });
        await sync();
        const digest = counting.digest();
        const record = { name, offset, sizeBytes: digest.sizeBytes, crc };
        await writeAt(file, localHeader(record), offset);
        await sync();
        records.set(name, record);
        end = at;
        return digest;
      } catch (error) {
        await file.truncate(end).catch(() => {});
        throw error;
      }
    },
    async *read(name) {
      const record = records.get(name);
      if (record === undefined) throw new ArchiveError('missing-file', 'a file of the archive is not there');
      const { offset, sizeBytes } = record;
      const start = offset + headerBytes(name);
      for (let at = start; at < start + sizeBytes;) {
        const piece = await readAt(file, at, Math.min(READ_BYTES, start + sizeBytes - at));
        if (piece.length === 0) throw new RangeError('the file became shorter');
        at += piece.length;
        yield piece;
      }
    },
    async remove(name) {
      const record = records.get(name);
      if (record === undefined) return;
      await writeAt(file, REMOVED.byte, record.offset + REMOVED.at);
      await sync();
      records.delete(name);
    },
    async finish(without) {
      await file.truncate(end);
      const listed = [...records.values()].filter(({ name }) => !without.includes(name));
      let at = end;
      for (const piece of centralDirectory(listed, end)) at = await writeAt(file, piece, at);
      await file.sync();
    },
  };
}

async function recordsIn(file: FileHandle): Promise<{ record: ZipRecord; isRemoved: boolean }[]> {
  const found: { record: ZipRecord; isRemoved: boolean }[] = [];
  for (let offset = 0; ;) {
    const header = readLocalHeader(await readAt(file, offset, HEADER_BYTES));
    if (header === null || !isArchiveName(header.name)) break;
    const end = offset + headerBytes(header.name) + header.sizeBytes;
    const { isRemoved, ...fields } = header;
    found.push({ record: { ...fields, offset }, isRemoved });
    offset = end;
  }
  // What lost its power may have kept a part of the last file, and of none before.
  const last = found.at(-1);
  if (last !== undefined && !(await isIntact(file, last.record))) found.pop();
  return found;
}

async function isIntact(file: FileHandle, { name, offset, sizeBytes, crc }: ZipRecord): Promise<boolean> {
  const start = offset + headerBytes(name);
  let found = 0;
  for (let at = start; at < start + sizeBytes;) {
    const piece = await readAt(file, at, Math.min(READ_BYTES, start + sizeBytes - at));
    if (piece.length === 0) return false;
    found = crc32(piece, found);
    at += piece.length;
  }
  return found === crc;
}

async function readAt(file: FileHandle, at: number, mostBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(mostBytes);
  const { bytesRead } = await file.read(bytes, 0, mostBytes, at);
  return bytes.subarray(0, bytesRead);
}

/** Where what follows goes. */
async function writeAt(file: FileHandle, bytes: Uint8Array, at: number): Promise<number> {
  for (let offset = 0; offset < bytes.length;)
    offset += (await file.write(bytes, offset, bytes.length - offset, at + offset)).bytesWritten;
  return at + bytes.length;
}
