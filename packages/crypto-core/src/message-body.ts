import { decodeCbor } from './cbor.ts';
import { readArray, readBytes, readKnown, readUint } from './cbor-fields.ts';
import { MAX_ENVELOPE_BYTES } from './envelope-header.ts';
import type { Checkpoint } from './epoch-statement.ts';
import { CryptoError } from './errors.ts';
import { labelledHash } from './hash.ts';
import { labelled } from './labels.ts';
import type { Primitives } from './primitives.ts';

const VERSION = 1;

/** The states of the logs as the sender saw them when it wrote: members compare them, so a fork shows. */
export interface Heads {
  readonly directory: Checkpoint;
  readonly group: Checkpoint;
}

/** The signed inside of an envelope. */
export interface MessageBody {
  /** The link of this sender's message before, 32 bytes; zeros for counter 0. */
  readonly previousLink: Uint8Array;
  readonly heads: Heads;
  /** What the application sends. */
  readonly payload: Uint8Array;
}

/** How a body differs from the specification. */
export type BodyFault = 'malformed' | 'unsupported-version';

/** CBOR heads: an array of four, a byte string of 32. */
const ARRAY_OF_4 = 0x84;
const [BYTES_SHORT, BYTES_32] = [0x58, 32];
/** The major types of the two heads that carry a number. */
const [UINT, BYTES] = [0x00, 0x40];
const HASH_FIELD_BYTES = 2 + 32;

/** The size of the encoded body. */
export function bodySizeBytes({ heads: { directory, group }, payload }: MessageBody): number {
  const numbers = headSize(directory.size) + headSize(group.size) + headSize(payload.length);
  return 3 + 3 * HASH_FIELD_BYTES + numbers + payload.length;
}

/**
 * Writes CBOR `[1, previous link, [directory size, root, group size, root], payload]` into `target`, which has
 * `bodySizeBytes`. The shape never varies, so it is written in place; a general encoder costs as much as a hash.
 */
export function writeBody(target: Uint8Array, { previousLink, heads, payload }: MessageBody): void {
  target[0] = ARRAY_OF_4;
  target[1] = VERSION;
  let at = writeHash(target, 2, previousLink);
  target[at] = ARRAY_OF_4;
  at = writeHead(target, at + 1, UINT, heads.directory.size);
  at = writeHash(target, at, heads.directory.root);
  at = writeHead(target, at, UINT, heads.group.size);
  at = writeHash(target, at, heads.group.root);
  at = writeHead(target, at, BYTES, payload.length);
  target.set(payload, at);
}

/** Reads a body, or says what is wrong with it. The byte strings of the result are views into `bytes`. */
export function readBody(bytes: Uint8Array): MessageBody | BodyFault {
  const body = readExactShape(bytes);
  if (body !== null) return body;
  try {
    return readAnyShape(bytes);
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'unsupported-version') return error.code;
    return 'malformed';
  }
}

/** What the sender signs: the digest is a hash already, so it is not hashed again. */
export function signedDigest(digest: Uint8Array): Uint8Array {
  return labelled('messageSignature', digest);
}

/** What the sender's next message names as the one before it: 32 bytes. */
export function messageLink(primitives: Primitives, digest: Uint8Array, signature: Uint8Array): Uint8Array {
  return labelledHash(primitives, 'link', digest, signature);
}

/** A body exactly as `writeBody` makes it, or `null`. */
function readExactShape(bytes: Uint8Array): MessageBody | null {
  if (bytes[0] !== ARRAY_OF_4 || bytes[1] !== VERSION) return null;
  let at = 2 + HASH_FIELD_BYTES;
  if (!isHash(bytes, 2) || bytes[at] !== ARRAY_OF_4) return null;
  const directorySize = readHead(bytes, at + 1, UINT);
  const directoryRoot = at + 1 + headSize(directorySize);
  if (directorySize < 0 || !isHash(bytes, directoryRoot)) return null;
  at = directoryRoot + HASH_FIELD_BYTES;
  const groupSize = readHead(bytes, at, UINT);
  const groupRoot = at + headSize(groupSize);
  if (groupSize < 0 || !isHash(bytes, groupRoot)) return null;
  at = groupRoot + HASH_FIELD_BYTES;
  const payloadBytes = readHead(bytes, at, BYTES);
  const payload = at + headSize(payloadBytes);
  if (payloadBytes < 0 || payload + payloadBytes !== bytes.length) return null;
  return {
    previousLink: hashAt(bytes, 2),
    heads: {
      directory: { size: directorySize, root: hashAt(bytes, directoryRoot) },
      group: { size: groupSize, root: hashAt(bytes, groupRoot) },
    },
    payload: bytes.subarray(payload),
  };
}

/** The general reader: names the fault of what `readExactShape` refuses. @throws CryptoError */
function readAnyShape(bytes: Uint8Array): MessageBody {
  const fields = readArray(decodeCbor(bytes, MAX_ENVELOPE_BYTES), 'message body', 4);
  readKnown(fields[0], 'message version', VERSION);
  const heads = readArray(fields[2], 'heads', 4);
  return {
    previousLink: readBytes(fields[1], 'previous link', 32),
    heads: {
      directory: {
        size: readUint(heads[0], 'directory size'),
        root: readBytes(heads[1], 'directory root', 32),
      },
      group: { size: readUint(heads[2], 'group size'), root: readBytes(heads[3], 'group root', 32) },
    },
    payload: readBytes(fields[3], 'payload'),
  };
}

function isHash(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === BYTES_SHORT && bytes[at + 1] === BYTES_32;
}

/** A view of 32 bytes; shorter, and then refused by what follows, when the bytes end before. */
function hashAt(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.subarray(at + 2, at + HASH_FIELD_BYTES);
}

function writeHash(target: Uint8Array, at: number, hash: Uint8Array): number {
  target[at] = BYTES_SHORT;
  target[at + 1] = BYTES_32;
  target.set(hash, at + 2);
  return at + HASH_FIELD_BYTES;
}

/** The size of a CBOR head with this number in its shortest form (RFC 8949 §3). */
function headSize(value: number): number {
  if (value < 24) return 1;
  if (value < 0x100) return 2;
  if (value < 0x10000) return 3;
  return value < 2 ** 32 ? 5 : 9;
}

function writeHead(target: Uint8Array, at: number, major: number, value: number): number {
  const size = headSize(value);
  if (size === 1) {
    target[at] = major | value;
    return at + 1;
  }
  target[at] = major | (ADDITIONAL[size] as number);
  let rest = value;
  for (let i = at + size - 1; i > at; i -= 1) {
    target[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + size;
}

/** The number of a head of this major type in its shortest form; -1 for anything else and above 2^53 - 1. */
function readHead(bytes: Uint8Array, at: number, major: number): number {
  const initial = bytes[at] ?? 0xff;
  if ((initial & 0xe0) !== major) return -1;
  const additional = initial & 0x1f;
  if (additional < 24) return additional;
  const size = ADDITIONAL.indexOf(additional);
  if (size < 0 || at + size > bytes.length) return -1;
  let value = 0;
  for (let i = at + 1; i < at + size; i += 1) value = value * 256 + (bytes[i] as number);
  return Number.isSafeInteger(value) && headSize(value) === size ? value : -1;
}

/** The low five bits of a head's first byte, by the size of the head. */
const ADDITIONAL: readonly number[] = [-1, -1, 24, 25, -1, 26, -1, -1, -1, 27];
