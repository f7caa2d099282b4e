import { concatBytes, type AttachmentSealer } from '@keytide/crypto-core';

/** Chunks of 64 KiB in a window: what is sealed, noted and sent before the next begins. */
const WINDOW_CHUNKS = 16;

/** A stretch of ciphertext, and the state of sealing to begin again from. */
interface SealedWindow {
  readonly bytes: Uint8Array;
  /** From before this window; at the end of the content, from before the last content. */
  readonly checkpoint: Uint8Array;
}

/** Seals content window by window, in memory that does not grow with it. From one checkpoint the windows are the same each time. */
export async function* sealedWindows(
  sealer: AttachmentSealer,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<SealedWindow, void> {
  let checkpoint = sealer.checkpoint();
  let chunks: Uint8Array[] = [];
  for await (const piece of pieces) {
    chunks.push(...sealer.push(piece));
    if (chunks.length < WINDOW_CHUNKS) continue;
    yield { bytes: concatBytes(...chunks), checkpoint };
    chunks = [];
    checkpoint = sealer.checkpoint();
  }
  for (const chunk of sealer.end()) {
    chunks.push(chunk);
    if (chunks.length < WINDOW_CHUNKS) continue;
    yield { bytes: concatBytes(...chunks), checkpoint };
    chunks = [];
  }
  if (chunks.length > 0) yield { bytes: concatBytes(...chunks), checkpoint };
}
