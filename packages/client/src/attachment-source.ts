import { ClientError } from './errors.ts';

/**
 * The content of an attachment: bytes, something that is read at any place (a file), or a stream. It must stay the
 * same while it is uploaded, also over a stop: docs/spec/attachment.md.
 */
export type AttachmentSource =
  | Uint8Array
  | {
      readonly sizeBytes: number;
      /** Exactly so many bytes from `offset` on. */
      read(offset: number, sizeBytes: number): Promise<Uint8Array>;
    }
  | {
      readonly sizeBytes: number;
      /** All of the content, in pieces of any size, from the start: an upload that goes on passes over what it has. */
      readonly chunks: AsyncIterable<Uint8Array>;
    };

/** Small enough that sealing one gives one chunk at most. */
const PIECE_BYTES = 65_536;

/** How long the content is. */
export function sizeOf(source: AttachmentSource): number {
  return source instanceof Uint8Array ? source.length : source.sizeBytes;
}

/** The content from `offset` on, in pieces of at most 64 KiB. @throws ClientError `source-changed` for another length */
export async function* piecesOf(source: AttachmentSource, offset: number): AsyncGenerator<Uint8Array, void> {
  const end = sizeOf(source);
  if (!(source instanceof Uint8Array) && 'chunks' in source) {
    let at = 0;
    for await (const chunk of source.chunks) {
      for (let from = Math.max(0, offset - at); from < chunk.length; from += PIECE_BYTES)
        yield chunk.subarray(from, from + PIECE_BYTES);
      at += chunk.length;
      if (at > end) break;
    }
    if (at !== end) throw sourceChanged();
    return;
  }
  for (let at = offset; at < end; at += PIECE_BYTES) {
    const sizeBytes = Math.min(PIECE_BYTES, end - at);
    const piece =
      source instanceof Uint8Array ? source.subarray(at, at + sizeBytes) : await source.read(at, sizeBytes);
    if (piece.length !== sizeBytes) throw sourceChanged();
    yield piece;
  }
}

/** The refusal of content that is not what it was. */
export function sourceChanged(): ClientError {
  return new ClientError('source-changed', 'the content is not what it was when the upload began');
}
