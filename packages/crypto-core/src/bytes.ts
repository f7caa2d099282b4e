import { textOf } from './utf8.ts';

/** Joins byte strings into a new one. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let sizeBytes = 0;
  for (const part of parts) sizeBytes += part.length;
  const joined = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** A copy that shares no memory. Not `slice`, which for a Buffer, as apps on Node pass them, is a view. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/**
 * Compares in time that depends on the lengths only. The one comparison for secrets and tags,
 * and harmless for everything else.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** Orders byte strings bytewise, shorter first where one is the start of the other. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i += 1) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal, two characters a byte. */
export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

/** Reads lower-case hexadecimal; `null` for anything else (odd length, capitals, other characters). */
export function fromHex(hex: string): Uint8Array | null {
  if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/.test(hex)) return null;
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i += 1)
    bytes[i] = (digit(hex.charCodeAt(2 * i)) << 4) | digit(hex.charCodeAt(2 * i + 1));
  return bytes;
}

/** The value of a lower-case hexadecimal digit's character code: `0` is 48, `a` is 97. */
function digit(code: number): number {
  return code < 97 ? code - 48 : code - 87;
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** base64url without padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  const codes = new Uint8Array(Math.ceil((bytes.length * 4) / 3));
  let used = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    // Of the last word, what is beyond the end is not there.
    for (let shift = 18; shift >= 0 && used < codes.length; shift -= 6)
      codes[used++] = BASE64URL.charCodeAt((word >> shift) & 63);
  }
  return textOf(codes);
}

/** Reads unpadded base64url; `null` for anything else, also for left-over bits that are not zero. */
export function fromBase64Url(text: string): Uint8Array | null {
  const { length } = text;
  if (length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  let word = 0;
  for (let i = 0, used = 0; i < length; i += 4, used += 3) {
    word =
      (sextet(text, i) << 18) |
      (sextet(text, i + 1) << 12) |
      (sextet(text, i + 2) << 6) |
      sextet(text, i + 3);
    if (word < 0) return null;
    // What is written beyond the end is nowhere.
    bytes[used] = word >> 16;
    bytes[used + 1] = word >> 8;
    bytes[used + 2] = word;
  }
  const leftOver = length % 4 === 0 ? 0 : length % 4 === 2 ? 0xffff : 0xff;
  return (word & leftOver) === 0 ? bytes : null;
}

const SEXTETS = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value += 1) SEXTETS[BASE64URL.charCodeAt(value)] = value;

/** The value of the base64url character at `index`; negative for another character, 0 beyond the end. */
function sextet(text: string, index: number): number {
  if (index >= text.length) return 0;
  const code = text.charCodeAt(index);
  return code < 128 ? (SEXTETS[code] as number) : -1;
}

/** UTF-8 bytes of an ASCII constant (labels); throws nothing and needs no TextEncoder. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Eight bytes, big-endian, of a non-negative safe integer. */
export function uint64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, value);
  return bytes;
}

/** Writes `uint64Bytes(value)` at `offset`. */
export function writeUint64(target: Uint8Array, offset: number, value: number): void {
  writeUint32(target, offset, Math.floor(value / 2 ** 32));
  writeUint32(target, offset + 4, value >>> 0);
}

/** Writes `uint32Bytes(value)` at `offset`. */
export function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

/** Reads eight big-endian bytes at `offset`; `null` above the safe integers. */
export function readUint64(bytes: Uint8Array, offset: number): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const value = view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
  return Number.isSafeInteger(value) ? value : null;
}

/** Four bytes, big-endian, of an integer below 2^32. */
export function uint32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32(bytes, 0, value);
  return bytes;
}
