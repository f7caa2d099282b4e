import { CryptoError } from '../errors.ts';
import type { Primitives } from '../primitives.ts';
import { openAttachmentChunk } from './chunk.ts';
import type { AttachmentDescriptor } from './descriptor.ts';
import { CHUNK_BYTES, ciphertextRange, SEALED_CHUNK_BYTES, type ContentRange } from './layout.ts';

/**
 * Opens a stretch of an attachment from exactly the ciphertext that `ciphertextRange` names, and nothing
 * else. The result takes as much memory as the stretch: read a long one in pieces.
 *
 * A stretch shows that somebody who knows the key made it for this place. That it is the sender's shows only
 * once the whole was read.
 * @throws CryptoError `truncated`: too little ciphertext; `malformed`: too much, or a stretch outside
 * @throws CryptoError `decryption-failed`: altered, of another place, or of another attachment
 */
export function openAttachmentRange(
  primitives: Primitives,
  descriptor: AttachmentDescriptor,
  range: ContentRange,
  ciphertext: Uint8Array,
): Uint8Array {
  const { firstChunk, sizeBytes } = ciphertextRange(descriptor, range);
  if (ciphertext.length < sizeBytes)
    throw new CryptoError('truncated', 'not all of the ciphertext of the range');
  if (ciphertext.length > sizeBytes)
    throw new CryptoError('malformed', 'more ciphertext than that of the range');
  const content = new Uint8Array(range.sizeBytes);
  for (let offset = 0; offset < sizeBytes; offset += SEALED_CHUNK_BYTES) {
    const index = firstChunk + offset / SEALED_CHUNK_BYTES;
    const sealed = ciphertext.subarray(offset, offset + SEALED_CHUNK_BYTES);
    const chunk = openAttachmentChunk(primitives, descriptor, index, sealed);
    const start = index * CHUNK_BYTES - range.offset;
    const wanted = chunk.subarray(Math.max(0, -start), range.sizeBytes - start);
    content.set(wanted, Math.max(0, start));
  }
  return content;
}
