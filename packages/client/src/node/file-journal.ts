import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { ClientError } from '../errors.ts';
import { assertRecords, MAX_RECORD_BYTES, type Journal } from '../journal.ts';

/*
 * File layout (docs/spec/journal.md):
 *   'KTJ1'
 *   record: length u32be ‖ CRC-32 of the bytes u32be ‖ bytes
 * A record that is incomplete or fails its check at the end of the file is what a crash left: it and all
 * after it are cut off when the file is opened.
 */
const MAGIC = Uint8Array.from([0x4b, 0x54, 0x4a, 0x31]);
const HEAD_BYTES = 8;
const READ_BYTES = 1024 * 1024;

/** Opens or creates a journal file, readable by its owner only. @throws ClientError `store-damaged` */
export async function openFileJournal(path: string): Promise<Journal & { close(): Promise<void> }> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await openOrCreate(path);
  const ends = await scan(file, path);
  await file.truncate(ends.at(-1) as number);

  const length = (): number => ends.length - 1;
  return {
    get length() {
      return length();
    },
    async read(start, end = length()) {
      if (start >= end) return [];
      const from = ends[start] as number;
      const block = new Uint8Array((ends[end] as number) - from);
      await readFully(file, block, from);
      return Array.from({ length: end - start }, (_, i) =>
        block.slice((ends[start + i] as number) - from + HEAD_BYTES, (ends[start + i + 1] as number) - from),
      );
    },
    async append(records) {
      assertRecords(records);
      let offset = ends.at(-1) as number;
      const block = new Uint8Array(records.reduce((sum, record) => sum + HEAD_BYTES + record.length, 0));
      const view = new DataView(block.buffer);
      const added: number[] = [];
      let at = 0;
      for (const record of records) {
        view.setUint32(at, record.length);
        view.setUint32(at + 4, crc32(record));
        block.set(record, at + HEAD_BYTES);
        at += HEAD_BYTES + record.length;
        added.push(offset + at);
      }
      await writeFully(file, block, offset).catch(async (error: unknown) => {
        // What was written of it must not stand behind a shorter next record.
        await file.truncate(offset);
        throw error;
      });
      offset += block.length;
      ends.push(...added);
    },
    flush: () => file.datasync(),
    async cut(to) {
      if (to >= length()) return;
      await file.truncate(ends[to] as number);
      await file.datasync();
      ends.length = to + 1;
    },
    close: () => file.close(),
  };
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+', 0o600);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    return await open(path, 'wx+', 0o600);
  }
}

/** Where each whole record ends; the first number is the end of the magic. */
async function scan(file: FileHandle, path: string): Promise<number[]> {
  const { size } = await file.stat();
  const magic = new Uint8Array(MAGIC.length);
  if (size < MAGIC.length) {
    await file.truncate(0);
    await file.write(MAGIC, 0, MAGIC.length, 0);
    await file.datasync();
    return [MAGIC.length];
  }
  await readFully(file, magic, 0);
  if (!MAGIC.every((byte, i) => magic[i] === byte)) {
    throw new ClientError('store-damaged', `${path} is not a Keytide journal`);
  }
  const ends = [MAGIC.length];
  let buffer: Uint8Array = new Uint8Array(0);
  let bufferStart = MAGIC.length;
  const ensure = async (offset: number, sizeBytes: number): Promise<Uint8Array | null> => {
    if (offset + sizeBytes > size) return null;
    if (offset < bufferStart || offset + sizeBytes > bufferStart + buffer.length) {
      buffer = new Uint8Array(Math.min(size - offset, Math.max(READ_BYTES, sizeBytes)));
      bufferStart = offset;
      await readFully(file, buffer, offset);
    }
    return buffer.subarray(offset - bufferStart, offset - bufferStart + sizeBytes);
  };
  for (let offset = MAGIC.length; ;) {
    const head = await ensure(offset, HEAD_BYTES);
    if (head === null) return ends;
    const view = new DataView(head.buffer, head.byteOffset, HEAD_BYTES);
    const sizeBytes = view.getUint32(0);
    const checksum = view.getUint32(4);
    // Records are never empty: zeros are what a power cut leaves in a file that had grown.
    if (sizeBytes === 0 || sizeBytes > MAX_RECORD_BYTES) return ends;
    const record = await ensure(offset + HEAD_BYTES, sizeBytes);
    if (record === null || crc32(record) !== checksum) return ends;
    offset += HEAD_BYTES + sizeBytes;
    ends.push(offset);
  }
}

async function writeFully(file: FileHandle, block: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < block.length;) {
    const { bytesWritten } = await file.write(block, done, block.length - done, position + done);
    done += bytesWritten;
  }
}

async function readFully(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done);
    if (bytesRead === 0)
      throw new ClientError('store-damaged', 'a journal file became shorter while it was read');
    done += bytesRead;
  }
}
