import {
  ciphertextBytes,
  ciphertextRange,
  MAX_ATTACHMENT_BYTES,
  openAttachment,
  openAttachmentRange,
  type AttachmentDescriptor,
  type ContentRange,
  type KeyStore,
} from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import {
  attachment,
  attachmentNames,
  attachmentRef,
  descriptorIn,
  type AttachmentRef,
} from './attachment-ref.ts';
import { sizeOf, type AttachmentSource } from './attachment-source.ts';
import { blobApi, type BlobApi } from './blob-api.ts';
import { invalidValue } from './body.ts';
import { ClientError } from './errors.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import { upload, type AttachmentProgress } from './upload.ts';
import { UploadRecords } from './upload-record.ts';

/** How an attachment is uploaded. */
export interface UploadOptions {
  /** For people: without a folder. */
  readonly name?: string;
  readonly mediaType?: string;
  /**
   * A name of the application's own for this upload, by which another call goes on with it after a stop, also after a
   * restart, with the same content: the path and the time of the file, for instance.
   */
  readonly resume?: string;
  readonly onProgress?: (progress: AttachmentProgress) => void;
  readonly signal?: AbortSignal;
}

/** How an attachment is downloaded. */
export type DownloadOptions = Pick<UploadOptions, 'onProgress' | 'signal'>;

/** What attachments work with. */
interface AttachmentsOptions {
  readonly ports: Ports;
  /** @throws ClientError `closed`, `wiped`, `locked` */
  assertOpen(): void;
  readonly api: Pick<RelayApi, 'call'>;
  readonly keyStore: KeyStore;
  /** How long this device may keep what reads old content. */
  retentionMs(): number;
}

/** Attempts while the relay is out of reach; between them the wait doubles from a second. */
const ATTEMPTS = 6;

/** Files beside messages: sealed here, kept by the relay as ciphertext until the export period is over. */
export class Attachments implements Part {
  readonly topic = 'data';
  readonly #ports: Ports;
  readonly #assertOpen: () => void;
  readonly #blobs: BlobApi;
  readonly #records: UploadRecords;
  readonly #stopping = new AbortController();
  readonly #uploading = new Map<string, Promise<unknown>>();
  readonly #working = new Set<Promise<unknown>>();
  /** Who waits for the relay to be there again. */
  readonly #waiting = new Set<AbortController>();

  constructor({ ports, assertOpen, api, keyStore, retentionMs }: AttachmentsOptions) {
    this.#ports = ports;
    this.#assertOpen = assertOpen;
    this.#blobs = blobApi(api);
    this.#records = new UploadRecords(keyStore, retentionMs);
  }

  /**
   * Seals content under a key of its own and uploads it, in memory that does not grow with it. Resolves with what a
   * message says of it: write it to a field whose schema is `attachment()`.
   * @throws ClientError `offline` when the relay stays out of reach (with `resume`, the same call goes on later),
   *   `source-changed`, `invalid-value` for a name or media type that is none and for an upload of this `resume` that
   *   is under way, `cancelled`, `closed`, `relay-refused` with `quota-exceeded`; what the source throws
   */
  async upload(source: AttachmentSource, options: UploadOptions = {}): Promise<AttachmentRef> {
    const { name, mediaType, resume = null, onProgress = () => {} } = options;
    const named = {
      ...(name === undefined ? {} : { name }),
      ...(mediaType === undefined ? {} : { mediaType }),
    };
    requireNames(named, sizeOf(source));
    if (resume !== null && this.#uploading.has(resume))
      throw new ClientError('invalid-value', 'this upload is under way');
    const run = this.#run(async () => {
      const { blob, descriptor } = await upload({
        ports: this.#ports,
        blobs: this.#blobs,
        records: this.#records,
        source,
        resume,
        onProgress,
        persist: (work) => this.#persist(work, options.signal),
      });
      const ref = attachmentRef(blob, descriptor, named);
      descriptor.key.dispose();
      return ref;
    });
    if (resume === null) return await run;
    this.#uploading.set(resume, run);
    try {
      return await run;
    } finally {
      this.#uploading.delete(resume);
    }
  }

  /**
   * Yields the content in order. Each piece is authentic when it comes; that the whole is the sender's own is known
   * when the last has come, which is given only then.
   * @throws ClientError `attachment-gone` when the relay does not have it, or not any more, `offline`, `cancelled`, `closed`;
   *   CryptoError `decryption-failed`, `content-mismatch`, `malformed`: altered; `truncated`: cut short
   */
  async *download(
    ref: AttachmentRef,
    { onProgress = () => {}, signal }: DownloadOptions = {},
  ): AsyncGenerator<Uint8Array, void> {
    const descriptor = requireDescriptor(ref);
    try {
      const opener = openAttachment(this.#ports.primitives, descriptor);
      const totalBytes = ciphertextBytes(descriptor);
      for (let offset = 0; offset < totalBytes;) {
        const sizeBytes = Math.min(LIMITS.blobPieceBytes, totalBytes - offset);
        const bytes = await this.#read(ref, offset, sizeBytes, signal);
        yield* opener.push(bytes);
        offset += bytes.length;
        onProgress({ doneBytes: offset, totalBytes });
        if (bytes.length < sizeBytes) break;
      }
      opener.end();
    } finally {
      // Also when whoever reads it has enough.
      descriptor.key.dispose();
    }
  }

  /**
   * A stretch of the content. It shows that somebody who can read the message made it for this place; that it is the
   * sender's own shows only when the whole is downloaded.
   * @throws as `download`; CryptoError `malformed` for a stretch outside
   */
  async downloadRange(
    ref: AttachmentRef,
    range: ContentRange,
    { signal }: Pick<UploadOptions, 'signal'> = {},
  ): Promise<Uint8Array> {
    const descriptor = requireDescriptor(ref);
    try {
      const { offset, sizeBytes } = ciphertextRange(descriptor, range);
      const ciphertext = new Uint8Array(sizeBytes);
      let done = 0;
      while (done < sizeBytes) {
        const wanted = Math.min(LIMITS.blobPieceBytes, sizeBytes - done);
        const bytes = await this.#read(ref, offset + done, wanted, signal);
        ciphertext.set(bytes, done);
        done += bytes.length;
        if (bytes.length < wanted) break;
      }
      return openAttachmentRange(this.#ports.primitives, descriptor, range, ciphertext.subarray(0, done));
    } finally {
      descriptor.key.dispose();
    }
  }

  wake(): void {
    for (const waiting of this.#waiting) waiting.abort();
    if (this.#stopping.signal.aborted) return;
    // What a failing key store keeps now is looked at again at the next wake.
    void this.#run(() => this.#records.forgetOld(this.#ports.clock.now())).catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await Promise.all([...this.#working].map((work) => work.catch(() => {})));
  }

  #read(
    { blob }: AttachmentRef,
    offset: number,
    sizeBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    return this.#run(() => this.#persist(() => this.#blobs.read(blob, offset, sizeBytes), signal));
  }

  /** Whoever closes the client waits until this is over. */
  async #run<T>(work: () => Promise<T>): Promise<T> {
    const running = work();
    this.#working.add(running);
    try {
      return await running;
    } finally {
      this.#working.delete(running);
    }
  }

  async #persist<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      if (signal?.aborted === true) throw new ClientError('cancelled', 'cancelled by the application');
      this.#assertOpen();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ClientError) || error.code !== 'offline' || attempt === ATTEMPTS) throw error;
      }
      await this.#wait(1000 * 2 ** (attempt - 1), signal);
    }
  }

  /** Until it is time, the relay is there again, or nobody wants to wait any more. */
  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const waiting = new AbortController();
    const abort = (): void => waiting.abort();
    this.#waiting.add(waiting);
    signal?.addEventListener('abort', abort);
    await this.#ports.clock.wait(ms, waiting.signal);
    signal?.removeEventListener('abort', abort);
    this.#waiting.delete(waiting);
  }
}

/** The descriptor of what a peer may have written. @throws ClientError `invalid-value` */
function requireDescriptor(ref: AttachmentRef): AttachmentDescriptor {
  const parsed = attachment().safeParse(ref);
  if (!parsed.success) throw invalidValue('attachment', parsed.error);
  return descriptorIn(parsed.data) as AttachmentDescriptor;
}

/** Before anything is sent: a name that does not fit would be found at the end. */
function requireNames(
  named: { readonly name?: string; readonly mediaType?: string },
  sizeBytes: number,
): void {
  const parsed = attachmentNames.safeParse(named);
  if (!parsed.success) throw invalidValue('attachment', parsed.error);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > MAX_ATTACHMENT_BYTES)
    throw new ClientError('too-large', 'an attachment has at most 1 TiB');
}
