import { CryptoError, encodeUtf8, hkdf, type Primitives } from '@keytide/crypto-core';
import type { ByteReader } from '../byte-reader.ts';
import { ArchiveError } from '../errors.ts';

const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
const COUNTER_BYTES = 11;
const NOTHING = new Uint8Array();

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
export async function* sealPayload(
  primitives: Primitives,
  key: Uint8Array,
  plain: ByteReader,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { data, nonce } of chunksOf(plain, CHUNK_BYTES))
    yield primitives.aeadSeal({ key, nonce, associated: NOTHING, data });
}

/** Opens what `sealPayload` sealed. What was yielded before an error is true, and not all. @throws ArchiveError `damaged` */
export async function* openPayload(
  primitives: Primitives,
  key: Uint8Array,
  sealed: ByteReader,
): AsyncGenerator<Uint8Array, void, undefined> {
  const inputOf = ({ data, nonce }: Chunk) => ({ key, nonce, associated: NOTHING, data });
  for await (const chunk of chunksOf(sealed, CHUNK_BYTES + TAG_BYTES)) {
    // Only a payload of nothing ends with a chunk of nothing.
    if (!chunk.isFirst && chunk.data.length <= TAG_BYTES) throw damaged();
    const plain = openedOrNull(primitives, inputOf(chunk));
    if (plain !== null) {
      yield plain;
      continue;
    }
    if (chunk.data.length < CHUNK_BYTES + TAG_BYTES && chunk.nonce[COUNTER_BYTES] === 1) throw damaged();
    // True as far as it goes: an end with something behind it, or what has lost its end.
    chunk.nonce[COUNTER_BYTES] = 1 - (chunk.nonce[COUNTER_BYTES] as number);
    const before = openedOrNull(primitives, inputOf(chunk));
    if (before !== null) yield before;
    throw damaged();
  }
}

interface Chunk {
  readonly data: Uint8Array;
  /** Its number, and whether it is the last: 12 bytes. */
  readonly nonce: Uint8Array;
  readonly isFirst: boolean;
}

async function* chunksOf(reader: ByteReader, sizeBytes: number): AsyncGenerator<Chunk, void, undefined> {
  const nonce = new Uint8Array(COUNTER_BYTES + 1);
  let data = await reader.read(sizeBytes);
  for (let isFirst = true; ; isFirst = false) {
    const next = data.length < sizeBytes ? NOTHING : await reader.read(sizeBytes);
    const isLast = next.length === 0;
    nonce[COUNTER_BYTES] = isLast ? 1 : 0;
    yield { data, nonce, isFirst };
    if (isLast) return;
    countUp(nonce);
    data = next;
  }
}

function countUp(nonce: Uint8Array): void {
  for (let at = COUNTER_BYTES - 1; at >= 0; at -= 1) {
    const next = ((nonce[at] as number) + 1) & 0xff;
    nonce[at] = next;
    if (next !== 0) return;
  }
}

function openedOrNull(
  primitives: Primitives,
  input: Parameters<Primitives['aeadOpen']>[0],
): Uint8Array | null {
  try {
    return primitives.aeadOpen(input);
  } catch (error) {
    if (error instanceof CryptoError) return null;
    throw error;
  }
}

function damaged(): ArchiveError {
  return new ArchiveError('damaged', 'the file is cut short or altered');
}
