import { CryptoError, encodeUtf8, hkdf, type Primitives } from '@keytide/crypto-core';
import type { ByteReader } from '../byte-reader.ts';
import { ArchiveError } from '../errors.ts';
import { pieceMemory } from '../pieces.ts';

const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
const COUNTER_BYTES = 11;
const NOTHING: Uint8Array = new Uint8Array();

/** Bytes of the nonce that a payload begins with: under it, one file key gives one payload key. */
export const PAYLOAD_NONCE_BYTES = 16;

/** The key of a payload: 32 bytes. */
export function payloadKey(primitives: Primitives, fileKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  return hkdf(primitives, {
    keyMaterial: fileKey,
    salt: nonce,
    info: encodeUtf8('payload') as Uint8Array,
    sizeBytes: 32,
  });
}

/** Seals what is read in chunks of 64 KiB, the last of them marked (age-encryption.org/v1, "Payload": STREAM). */
export function sealPayload(
  primitives: Primitives,
  key: Uint8Array,
  plain: ByteReader,
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  return inPieces(chunksOf(plain, CHUNK_BYTES), TAG_BYTES, ({ data, nonce }, into) => {
    put(primitives.aeadSeal({ key, nonce, associated: NOTHING, data, into }), into);
    return true;
  });
}

/** Opens what `sealPayload` sealed. What was yielded before an error is true, and not all. @throws ArchiveError `damaged` */
export function openPayload(
  primitives: Primitives,
  key: Uint8Array,
  sealed: ByteReader,
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  const isOpened = ({ data, nonce }: Chunk, into: Uint8Array): boolean => {
    try {
      put(primitives.aeadOpen({ key, nonce, associated: NOTHING, data, into }), into);
      return true;
    } catch (error) {
      if (error instanceof CryptoError) return false;
      throw error;
    }
  };
  return inPieces(chunksOf(sealed, CHUNK_BYTES + TAG_BYTES), -TAG_BYTES, (chunk, into) => {
    const { data, nonce, isFirst, isLast } = chunk;
    // Only a payload of nothing ends with a chunk of nothing.
    if (data.length < TAG_BYTES || (data.length === TAG_BYTES && !isFirst)) throw damaged();
    if (isOpened(chunk, into)) return true;
    if (data.length < CHUNK_BYTES + TAG_BYTES && isLast) throw damaged();
    // True as far as it goes: an end with something behind it, or what has lost its end.
    nonce[COUNTER_BYTES] = isLast ? 0 : 1;
    if (isOpened(chunk, into)) return false;
    throw damaged();
  });
}

interface Chunk {
  readonly data: Uint8Array;
  /** Its number, and whether it is the last: 12 bytes. */
  readonly nonce: Uint8Array;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** How many chunks are put together: whoever writes them writes 1 MiB at once. */
const PIECE_CHUNKS = 16;

/**
 * What `change` makes of each chunk, several of them in one piece. It writes `growBytes` more than the chunk has into
 * the memory that it is given, and says whether what follows can be read; when it throws, it has written nothing.
 * What was made before an error is yielded before it is thrown.
 */
async function* inPieces(
  chunks: AsyncIterable<Chunk>,
  growBytes: number,
  change: (chunk: Chunk, into: Uint8Array) => boolean,
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  const memory = pieceMemory();
  let piece = NOTHING;
  let used = 0;
  const taken = (): Uint8Array => {
    const made = piece.subarray(0, used);
    used = 0;
    return made;
  };
  try {
    for await (const chunk of chunks) {
      const sizeBytes = Math.max(0, chunk.data.length + growBytes);
      if (used === 0) piece = memory.take(chunk.isLast ? sizeBytes : PIECE_CHUNKS * sizeBytes);
      const goesOn = change(chunk, piece.subarray(used, used + sizeBytes));
      used += sizeBytes;
      if (!goesOn) throw damaged();
      if (used > 0 && (used === piece.length || chunk.isLast)) memory.giveBack(yield taken());
    }
  } catch (error) {
    if (used > 0) yield taken();
    throw error;
  }
}

async function* chunksOf(reader: ByteReader, sizeBytes: number): AsyncGenerator<Chunk, void, undefined> {
  const nonce = new Uint8Array(COUNTER_BYTES + 1);
  let data = await reader.readInto(new Uint8Array(sizeBytes));
  let other = NOTHING;
  for (let isFirst = true; ; isFirst = false) {
    if (other.length < data.length) other = new Uint8Array(sizeBytes);
    const next = data.length < sizeBytes ? NOTHING : await reader.readInto(other);
    const isLast = next.length === 0;
    nonce[COUNTER_BYTES] = isLast ? 1 : 0;
    yield { data, nonce, isFirst, isLast };
    if (isLast) return;
    countUp(nonce);
    [data, other] = [next, data];
  }
}

function countUp(nonce: Uint8Array): void {
  for (let at = COUNTER_BYTES - 1; at >= 0; at -= 1) {
    const next = ((nonce[at] as number) + 1) & 0xff;
    nonce[at] = next;
    if (next !== 0) return;
  }
}

/** Primitives that know nothing of `into` give new memory. */
function put(result: Uint8Array, into: Uint8Array): void {
  if (result !== into) into.set(result);
}

function damaged(): ArchiveError {
  return new ArchiveError('damaged', 'the file is cut short or altered');
}
