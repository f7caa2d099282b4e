import { labelled } from '../labels.ts';
import { CryptoError } from '../errors.ts';
import type { Primitives } from '../primitives.ts';
import type { AttachmentDescriptor } from './descriptor.ts';
import { chunkCount, contentBytes, sealedChunkBytes } from './layout.ts';

const ASSOCIATED = labelled('attachmentChunk');
const NONCE_BYTES = 12;
const LAST = 1;

/**
 * Seals one chunk. The nonce is the chunk's number and whether it is the last (STREAM: Hoang, Reyhanitabar,
 * Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015; in the form
 * of age, whose key is fresh for each file as well). The key must never meet two plaintexts of one number.
 */
export function sealChunk(
  primitives: Primitives,
  key: Uint8Array,
  position: { index: number; last: boolean },
  data: Uint8Array,
): Uint8Array {
  const nonce = chunkNonce(position.index, position.last);
  return primitives.aeadSeal({ key, nonce, associated: ASSOCIATED, data });
}

/**
 * Opens chunk `index` and gives the content in it, without the padding. Says nothing of other chunks, and
 * does not compare with the descriptor's root.
 * @throws CryptoError `decryption-failed`: altered, of another place, or of another attachment
 * @throws CryptoError `malformed` for padding that is not zeros, and for a chunk that does not exist
 */
export function openAttachmentChunk(
  primitives: Primitives,
  descriptor: AttachmentDescriptor,
  index: number,
  sealed: Uint8Array,
): Uint8Array {
  const last = chunkCount(descriptor) - 1;
  if (!Number.isSafeInteger(index) || index < 0 || index > last)
    throw new CryptoError('malformed', 'a chunk that the attachment does not have');
  if (sealed.length !== sealedChunkBytes(descriptor, index))
    throw new CryptoError('decryption-failed', 'wrong key or altered bytes');
  const nonce = chunkNonce(index, index === last);
  const data = descriptor.key.use((key) =>
    primitives.aeadOpen({ key, nonce, associated: ASSOCIATED, data: sealed }),
  );
  const content = contentBytes(descriptor, index);
  for (let i = content; i < data.length; i += 1)
    if (data[i] !== 0) throw new CryptoError('malformed', 'the padding of an attachment is zeros');
  return content === data.length ? data : data.subarray(0, content);
}

/** u88 chunk number (the upper 56 bits are zero) ‖ u8 last: 12 bytes. */
function chunkNonce(index: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  new DataView(nonce.buffer).setUint32(NONCE_BYTES - 5, index);
  if (last) nonce[NONCE_BYTES - 1] = LAST;
  return nonce;
}
