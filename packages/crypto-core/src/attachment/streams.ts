import { CryptoError } from '../errors.ts';
import type { AttachmentOpener } from './open.ts';
import type { AttachmentSealer } from './seal.ts';
import { CHUNK_BYTES } from './layout.ts';

/** Both ends of a transformation, for `ReadableStream.pipeThrough`. */
export interface BytesTransform {
  readonly writable: WritableStream<Uint8Array>;
  readonly readable: ReadableStream<Uint8Array>;
}

/**
 * Content in, ciphertext out, as Web Streams. Holds about two chunks, however large the writes and however
 * slow the reader. Once it was read to the end, the sealer has the descriptor.
 * @throws CryptoError `unsupported-runtime` where there are no Web Streams: use the sealer itself
 */
export function sealingStream(sealer: AttachmentSealer): BytesTransform {
  return pulledTransform(
    (bytes) => sealer.push(bytes),
    () => sealer.end(),
  );
}

/**
 * Ciphertext in, content out, as Web Streams; errors with the codes of `AttachmentOpener`.
 * @throws CryptoError `unsupported-runtime` where there are no Web Streams: use the opener itself
 */
export function openingStream(opener: AttachmentOpener): BytesTransform {
  return pulledTransform(
    (bytes) => opener.push(bytes),
    () => {
      opener.end();
      return [].values();
    },
  );
}

/**
 * A plain TransformStream cannot wait for its reader inside one write or at the end, so a large write, or a
 * long padding, would pile up. Here all work is done when the reader asks.
 */
function pulledTransform(
  push: (bytes: Uint8Array) => Uint8Array[],
  end: () => Iterator<Uint8Array, void>,
): BytesTransform {
  if (typeof TransformStream === 'undefined' || typeof ReadableStream === 'undefined')
    throw new CryptoError('unsupported-runtime', 'this runtime has no Web Streams');
  const input = new TransformStream<Uint8Array, Uint8Array>();
  const reader = input.readable.getReader();
  let bytes: Uint8Array = new Uint8Array(0);
  let rest: Iterator<Uint8Array, void> | null = null;

  const next = async (): Promise<Uint8Array[] | null> => {
    if (bytes.length === 0 && rest === null) {
      const { done, value } = await reader.read();
      if (done) rest = end();
      else bytes = value;
    }
    if (rest !== null) {
      const result = rest.next();
      return result.done === true ? null : [result.value];
    }
    const piece = bytes.subarray(0, CHUNK_BYTES);
    bytes = bytes.subarray(CHUNK_BYTES);
    return push(piece);
  };

  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          let chunks = await next();
          while (chunks?.length === 0) chunks = await next();
          if (chunks === null) controller.close();
          else for (const chunk of chunks) controller.enqueue(chunk);
        } catch (error) {
          // The writer must hear of it too, or it would wait for ever.
          await reader.cancel(error).catch(() => null);
          throw error;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { writable: input.writable, readable };
}
