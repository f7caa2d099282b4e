import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  concatBytes,
  CryptoError,
  decodeCbor,
  encodeCbor,
  equalBytes,
  type CborValue,
} from '@keytide/crypto-core';
import { sha256InPieces } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import { syncFolder } from '../sync-folder.ts';

/*
 * Layout (docs/spec/timeline.md):
 *   'KTB1'
 *   record: length u32be ‖ CBOR
 *   end: 0 u32be ‖ SHA-256 of everything before it [32]
 */
const MAGIC = Uint8Array.of(0x4b, 0x54, 0x42, 0x31);
const MAX_RECORD_BYTES = 256 * 1024 * 1024;
const HASH_BYTES = 32;

/** Writes a file of records beside its place and renames it when it is whole and on the disk; its length. */
export async function writeRecordFile(path: string, records: AsyncIterable<CborValue>): Promise<number> {
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  const file = await open(draft, 'wx', 0o600);
  const hash = sha256InPieces();
  let sizeBytes = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.add(bytes);
    for (let done = 0; done < bytes.length;)
      done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
    sizeBytes += bytes.length;
  };
  try {
    await write(MAGIC);
    for await (const record of records) {
      const bytes = encodeCbor(record);
      await write(concatBytes(lengthBytes(bytes.length), bytes));
    }
    await write(lengthBytes(0));
    await write(hash.digest());
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(draft, { force: true });
    throw error;
  }
  await file.close();
  await rename(draft, path);
  await syncFolder(dirname(path));
  return sizeBytes;
}

/** Reads a file to its end and throws nothing away but its records. @throws RelayError `backup-damaged` */
export async function checkRecordFile(path: string): Promise<void> {
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  const hash = sha256InPieces();
  if (size < MAGIC.length + 4 + HASH_BYTES) throw damaged();
  for await (const chunk of createReadStream(path, { end: size - HASH_BYTES - 1 })) hash.add(chunk as Buffer);
  const file = await open(path, 'r');
  try {
    const sum = new Uint8Array(HASH_BYTES);
    await file.read(sum, 0, HASH_BYTES, size - HASH_BYTES);
    if (!equalBytes(sum, hash.digest())) throw damaged();
  } finally {
    await file.close();
  }
}

/** The records of a file, one after the other. @throws RelayError `backup-damaged` for one that is not such a file */
export async function* readRecordFile(path: string): AsyncGenerator<readonly CborValue[], void, undefined> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw damaged(cause);
  });
  let at = 0;
  const read = async (sizeBytes: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const { bytesRead } = await file.read(bytes, done, sizeBytes - done, at + done);
      if (bytesRead === 0) throw damaged();
      done += bytesRead;
    }
    at += sizeBytes;
    return bytes;
  };
  try {
    if (!equalBytes(await read(MAGIC.length), MAGIC)) throw damaged();
    for (;;) {
      const sizeBytes = new DataView((await read(4)).buffer).getUint32(0);
      if (sizeBytes === 0) return;
      if (sizeBytes > MAX_RECORD_BYTES) throw damaged();
      yield recordIn(await read(sizeBytes));
    }
  } finally {
    await file.close();
  }
}

function recordIn(bytes: Uint8Array): readonly CborValue[] {
  try {
    const value = decodeCbor(bytes, MAX_RECORD_BYTES);
    if (Array.isArray(value)) return value as CborValue[];
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
  }
  throw damaged();
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

/** What is wrong with a file of a backup that is not what it has to be. */
export function damaged(cause?: unknown): RelayError {
  return new RelayError('backup-damaged', 'a file of the backup is cut off, damaged, or none', { cause });
}
