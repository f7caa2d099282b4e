import { compareBytes, writeUint32, writeUint64 } from './bytes.ts';
import { floatWidth, halfBits } from './cbor-float.ts';
import { CryptoError } from './errors.ts';
import { sorted } from './sorted.ts';
import { encodeUtf8 } from './utf8.ts';

/** The encoding being made: `bytes` grows, `used` of them count. */
interface Output {
  bytes: Uint8Array;
  used: number;
}

/** The work of `encodeCbor`. @throws CryptoError `malformed` */
export function writeCbor(value: unknown, depth: number): Uint8Array {
  const output: Output = { bytes: new Uint8Array(256), used: 0 };
  writeValue(output, value, depth);
  return output.bytes.slice(0, output.used);
}

function writeValue(output: Output, value: unknown, depth: number): void {
  if (typeof value === 'number') return writeNumber(output, value);
  if (typeof value === 'string') return writeText(output, value);
  if (value === false || value === true || value === null) {
    reserve(output, 1)[output.used++] = value === null ? 0xf6 : value ? 0xf5 : 0xf4;
    return;
  }
  if (value instanceof Uint8Array) {
    writeHead(output, 2, value.length);
    return writeRaw(output, value);
  }
  if (depth === 0) throw new CryptoError('malformed', 'nested too deeply');
  if (Array.isArray(value)) {
    writeHead(output, 4, value.length);
    for (const item of value) writeValue(output, item, depth - 1);
    return;
  }
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return writeMap(output, value as Record<string, unknown>, depth);
  throw new CryptoError('malformed', `a ${typeof value} that CBOR of this project cannot carry`);
}

/** Pairs sorted by the bytes of their encoded keys (RFC 8949 §4.2.1). */
function writeMap(output: Output, map: Record<string, unknown>, depth: number): void {
  const pairs = sorted(
    Object.entries(map).map(([key, item]) => ({ key, item, encoded: writeCbor(key, 0) })),
    (a, b) => compareBytes(a.encoded, b.encoded),
  );
  writeHead(output, 5, pairs.length);
  for (const { key, item, encoded } of pairs) {
    // Harmless here, but copying such an object sets the copy's prototype.
    if (key === '__proto__') throw new CryptoError('malformed', 'a map with the key __proto__');
    writeRaw(output, encoded);
    writeValue(output, item, depth - 1);
  }
}

function writeText(output: Output, text: string): void {
  const bytes = encodeUtf8(text);
  if (bytes === null) throw new CryptoError('malformed', 'text with a lone surrogate');
  writeHead(output, 3, bytes.length);
  writeRaw(output, bytes);
}

function writeNumber(output: Output, value: number): void {
  if (Number.isSafeInteger(value))
    return value < 0 ? writeHead(output, 1, -1 - value) : writeHead(output, 0, value);
  if (!Number.isFinite(value) || Number.isInteger(value))
    throw new CryptoError('malformed', 'a number that CBOR of this project cannot carry');
  const sizeBytes = floatWidth(value);
  const bytes = reserve(output, 1 + sizeBytes);
  const view = new DataView(bytes.buffer);
  const at = output.used + 1;
  bytes[output.used] = sizeBytes === 2 ? 0xf9 : sizeBytes === 4 ? 0xfa : 0xfb;
  if (sizeBytes === 2) view.setUint16(at, halfBits(value) as number);
  else if (sizeBytes === 4) view.setFloat32(at, value);
  else view.setFloat64(at, value);
  output.used += 1 + sizeBytes;
}

/** The first byte and the shortest argument (RFC 8949 §3). */
function writeHead(output: Output, major: number, argument: number): void {
  const bytes = reserve(output, 9);
  const at = output.used;
  const first = major << 5;
  if (argument < 24) {
    bytes[at] = first | argument;
    output.used += 1;
  } else if (argument < 0x100) {
    bytes[at] = first | 24;
    bytes[at + 1] = argument;
    output.used += 2;
  } else if (argument < 0x10000) {
    bytes[at] = first | 25;
    bytes[at + 1] = argument >>> 8;
    bytes[at + 2] = argument;
    output.used += 3;
  } else if (argument < 2 ** 32) {
    bytes[at] = first | 26;
    writeUint32(bytes, at + 1, argument);
    output.used += 5;
  } else {
    bytes[at] = first | 27;
    writeUint64(bytes, at + 1, argument);
    output.used += 9;
  }
}

function writeRaw(output: Output, bytes: Uint8Array): void {
  reserve(output, bytes.length).set(bytes, output.used);
  output.used += bytes.length;
}

/** The buffer, with room for `sizeBytes` more. */
function reserve(output: Output, sizeBytes: number): Uint8Array {
  const needed = output.used + sizeBytes;
  if (needed > output.bytes.length) {
    const grown = new Uint8Array(Math.max(needed, output.bytes.length * 2));
    grown.set(output.bytes.subarray(0, output.used));
    output.bytes = grown;
  }
  return output.bytes;
}
