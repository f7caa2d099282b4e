import { CryptoError } from '../errors.ts';
import { padmeSize } from '../padme.ts';

/** Plaintext bytes of every chunk but the last, which may be shorter. */
export const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
/** Ciphertext bytes of a full chunk: the plaintext, then the Poly1305 tag. */
export const SEALED_CHUNK_BYTES: number = CHUNK_BYTES + TAG_BYTES;
/** 1 TiB. Chunks are then numbered below 2^25 and every size is an exact integer. */
export const MAX_ATTACHMENT_BYTES: number = 2 ** 40;

/** What fixes the layout of an attachment's ciphertext. */
export interface AttachmentSize {
  /** Bytes of the content, at most 2^40. */
  readonly sizeBytes: number;
  /** Whether zeros follow the content up to a PADMÉ size, so that the relay does not learn its length. */
  readonly padded: boolean;
}

/** A stretch of an attachment's content. */
export interface ContentRange {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** The stretch of ciphertext that holds a stretch of content: whole chunks. */
export interface CiphertextRange extends ContentRange {
  /** The number of its first chunk, from 0. */
  readonly firstChunk: number;
}

/** Bytes that are encrypted: the content, and its padding. At most 12 % more than the content. */
export function paddedBytes({ sizeBytes, padded }: AttachmentSize): number {
  // PADMÉ speaks of sizes from 2.
  return padded ? padmeSize(Math.max(sizeBytes, 2)) : sizeBytes;
}

/** How many chunks there are: at least 1, because also an empty attachment has a last chunk. */
export function chunkCount(size: AttachmentSize): number {
  return Math.max(1, Math.ceil(paddedBytes(size) / CHUNK_BYTES));
}

/** Bytes of the whole ciphertext: what is uploaded, and what the relay sees. */
export function ciphertextBytes(size: AttachmentSize): number {
  return paddedBytes(size) + chunkCount(size) * TAG_BYTES;
}

/** Ciphertext bytes of chunk `index`. */
export function sealedChunkBytes(size: AttachmentSize, index: number): number {
  return Math.min(CHUNK_BYTES, paddedBytes(size) - index * CHUNK_BYTES) + TAG_BYTES;
}

/** Bytes of content in the plaintext of chunk `index`; the rest is padding. */
export function contentBytes(size: AttachmentSize, index: number): number {
  return Math.min(CHUNK_BYTES, Math.max(0, size.sizeBytes - index * CHUNK_BYTES));
}

/**
 * Which ciphertext to fetch in order to read a stretch of the content; nothing for an empty stretch.
 * @throws CryptoError `malformed` for a stretch that is not inside the content
 */
export function ciphertextRange(size: AttachmentSize, range: ContentRange): CiphertextRange {
  const { offset, sizeBytes } = range;
  if (!isSize(offset) || !isSize(sizeBytes) || offset + sizeBytes > size.sizeBytes)
    throw new CryptoError('malformed', 'a range outside of the attachment');
  const firstChunk = Math.floor(offset / CHUNK_BYTES);
  const start = firstChunk * SEALED_CHUNK_BYTES;
  if (sizeBytes === 0) return { firstChunk, offset: start, sizeBytes: 0 };
  const lastChunk = Math.floor((offset + sizeBytes - 1) / CHUNK_BYTES);
  const end = lastChunk * SEALED_CHUNK_BYTES + sealedChunkBytes(size, lastChunk);
  return { firstChunk, offset: start, sizeBytes: end - start };
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
