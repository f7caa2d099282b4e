import {
  ciphertextBytes,
  ciphertextRange,
  equalBytes,
  resumeSealing,
  sealAttachment,
  toHex,
  type AttachmentDescriptor,
  type AttachmentSealer,
} from '@keytide/crypto-core';
import { piecesOf, sizeOf, sourceChanged, type AttachmentSource } from './attachment-source.ts';
import type { BlobApi } from './blob-api.ts';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';
import { sealedWindows } from './sealed-windows.ts';
import { isSameCheckpoint, type UploadRecord, type UploadRecords } from './upload-record.ts';

/** How far an upload or a download has come, in bytes of ciphertext. */
export interface AttachmentProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What an upload works with. */
export interface UploadInput {
  readonly ports: Pick<Ports, 'primitives' | 'random' | 'clock'>;
  readonly blobs: BlobApi;
  readonly records: UploadRecords;
  readonly source: AttachmentSource;
  /** What the upload is kept under while it is under way; `null` for one that does not go on later. */
  readonly resume: string | null;
  onProgress(progress: AttachmentProgress): void;
  /** Does it again when the relay was out of reach. @throws ClientError `offline` when it stays so */
  persist<T>(work: () => Promise<T>): Promise<T>;
}

/** What was uploaded. */
interface Uploaded {
  readonly blob: string;
  readonly descriptor: AttachmentDescriptor;
}

/** An upload that begins, or goes on. */
interface Job {
  readonly blob: string;
  readonly sealer: AttachmentSealer;
  /** What the first window must be, of one that goes on. */
  readonly windowHash: Uint8Array | null;
  readonly startedMs: number;
  receivedBytes: number;
}

/** Four sealed chunks: what one request carries. */
const REQUEST_BYTES = 262_208;

/**
 * Seals content and hands the ciphertext to the relay, window by window. A window is sealed again only after a stop,
 * and sent again only if it is what it was: two plaintexts under one key and number would give both away.
 */
export async function upload(input: UploadInput): Promise<Uploaded> {
  const { records, resume } = input;
  try {
    const uploaded = await sealAndSend(input);
    if (resume !== null) await records.remove(resume);
    return uploaded;
  } catch (error) {
    // The next attempt begins anew, under another key.
    if (resume !== null && error instanceof ClientError && error.code === 'source-changed')
      await records.remove(resume);
    throw error;
  }
}

async function sealAndSend(input: UploadInput): Promise<Uploaded> {
  const { ports, blobs, records, source, resume } = input;
  const sizeBytes = sizeOf(source);
  const totalBytes = ciphertextBytes({ sizeBytes, padded: true });
  const job = (await resumedJob(input, totalBytes)) ?? (await freshJob(input, totalBytes));
  const { blob, sealer, startedMs } = job;
  const content = sealer.resumeOffset;
  let offset = ciphertextRange({ sizeBytes, padded: true }, { offset: content, sizeBytes: 0 }).offset;
  let expected = job.windowHash;
  let noted: Uint8Array | null = null;

  async function send(bytes: Uint8Array): Promise<void> {
    const end = offset + bytes.length;
    while (job.receivedBytes < end) {
      const from = job.receivedBytes;
      const piece = bytes.subarray(from - offset, Math.min(bytes.length, from - offset + REQUEST_BYTES));
      const received = await input.persist(() => blobs.write(blob, from, piece));
      if (received <= from || received > totalBytes)
        throw new ClientError('relay-misbehaved', 'the relay counts the bytes of an upload wrongly');
      job.receivedBytes = received;
      input.onProgress({ doneBytes: received, totalBytes });
    }
  }

  for await (const window of sealedWindows(sealer, piecesOf(source, content))) {
    const windowHash = ports.primitives.sha256(window.bytes);
    if (expected !== null && !equalBytes(expected, windowHash)) throw sourceChanged();
    expected = null;
    if (resume !== null && !isSameCheckpoint(noted, window.checkpoint)) {
      // Before the window leaves the device.
      await records.put(resume, { blob, sizeBytes, startedMs, checkpoint: window.checkpoint, windowHash });
      noted = window.checkpoint;
    }
    await send(window.bytes);
    offset += window.bytes.length;
  }
  return { blob, descriptor: sealer.descriptor() };
}

async function freshJob({ ports, blobs, persist }: UploadInput, totalBytes: number): Promise<Job> {
  const blob = toHex(ports.random(32));
  const sealer = sealAttachment(ports);
  const receivedBytes = await persist(() => blobs.start(blob, totalBytes));
  return { blob, sealer, windowHash: null, startedMs: ports.clock.now(), receivedBytes };
}

/** The upload of this name, if the relay still has what it had; `null` to begin anew, under a new key. */
async function resumedJob(input: UploadInput, totalBytes: number): Promise<Job | null> {
  const { ports, blobs, records, source, resume, persist } = input;
  const sizeBytes = sizeOf(source);
  const record: UploadRecord | null =
    resume === null ? null : await records.find(resume, sizeBytes, ports.clock.now());
  if (record === null) return null;
  const sealer = resumeSealing(ports.primitives, record.checkpoint);
  const range = { offset: sealer.resumeOffset, sizeBytes: 0 };
  const { offset } = ciphertextRange({ sizeBytes, padded: true }, range);
  try {
    const receivedBytes = await persist(() => blobs.start(record.blob, totalBytes));
    return receivedBytes < offset ? null : { ...record, sealer, receivedBytes };
  } catch (error) {
    if (error instanceof ClientError && error.relayCode === 'blob-taken') return null;
    throw error;
  }
}
