import { createHash, hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;

/**
 * SHA-256 in one call; creating a hash object costs several times as much for short inputs. The result comes as
 * text of one character a byte, because a Buffer for 32 bytes costs twice as much as the hash.
 */
export function sha256(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  writeLatin1(bytes, 0, hash('sha256', data, LATIN1));
  return bytes;
}

/** SHA-256 of what comes piece by piece, of any length. */
export interface Sha256InPieces {
  add(bytes: Uint8Array): void;
  /** Of everything so far: 32 bytes. */
  digest(): Uint8Array;
}

/** Nothing so far. */
export function sha256InPieces(): Sha256InPieces {
  const hashing = createHash('sha256');
  return {
    add: (bytes) => void hashing.update(bytes),
    digest: () => new Uint8Array(hashing.copy().digest()),
  };
}

/** Longer messages get memory of their own. */
const SHORT_DATA_BYTES = 1024;
const shortInner: Uint8Array = new Uint8Array(BLOCK_BYTES + SHORT_DATA_BYTES);
const outer: Uint8Array = new Uint8Array(BLOCK_BYTES + HASH_BYTES);

/**
 * HMAC-SHA-256 from two one-shot hashes (RFC 2104 §2): `createHmac` costs four times as much a call. The key
 * pads and the result, which can be a key, are wiped where they can be: a Buffer can, text cannot.
 */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  const short = key.length > BLOCK_BYTES ? sha256(key) : key;
  const size = BLOCK_BYTES + data.length;
  const inner = data.length > SHORT_DATA_BYTES ? new Uint8Array(size) : shortInner.subarray(0, size);
  inner.fill(0x36, 0, BLOCK_BYTES);
  outer.fill(0x5c, 0, BLOCK_BYTES);
  for (let i = 0; i < short.length; i += 1) {
    const byte = short[i] as number;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  inner.set(data, BLOCK_BYTES);
  writeLatin1(outer, BLOCK_BYTES, hash('sha256', inner, LATIN1));
  const result = hash('sha256', outer, 'buffer');
  const tag = new Uint8Array(result);
  result.fill(0);
  inner.fill(0);
  outer.fill(0);
  return tag;
}

/** One character a byte; node:crypto takes it, and its types leave it out. */
const LATIN1 = 'latin1' as 'hex';

function writeLatin1(target: Uint8Array, offset: number, text: string): void {
  for (let i = 0; i < HASH_BYTES; i += 1) target[offset + i] = text.charCodeAt(i);
}
