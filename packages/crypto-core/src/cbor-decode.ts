import { compareBytes, copyBytes, readUint64 } from './bytes.ts';
import { floatWidth, halfValue } from './cbor-float.ts';
import type { CborValue } from './cbor-value.ts';
import { CryptoError } from './errors.ts';
import { decodeUtf8 } from './utf8.ts';

/** The bytes being read, and how far. */
interface Input {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
}

/**
 * The work of `decodeCbor`, in one pass: each item is refused where its form is not the deterministic one,
 * and a count is believed only as far as bytes are left.
 * @throws CryptoError `malformed`
 */
export function readCbor(bytes: Uint8Array, depth: number): CborValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const input: Input = { bytes, view, at: 0 };
  const value = readValue(input, depth);
  if (input.at !== bytes.length) throw malformed('trailing bytes');
  return value;
}

function readValue(input: Input, depth: number): CborValue {
  const first = readByte(input);
  const major = first >> 5;
  const info = first & 31;
  if (major === 7) return readSimple(input, info);
  const argument = readArgument(input, info);
  switch (major) {
    case 0:
      return argument;
    case 1:
      if (argument === Number.MAX_SAFE_INTEGER) throw malformed('an integer beyond 2^53');
      return -1 - argument;
    case 2:
      return copyBytes(take(input, argument));
    case 3:
      return readText(input, argument);
    case 4:
      return readItems(input, argument, depth);
    case 5:
      return readMap(input, argument, depth);
    default:
      throw malformed('a tag');
  }
}

function readItems(input: Input, count: number, depth: number): CborValue[] {
  if (depth === 0) throw malformed('nested too deeply');
  if (count > left(input)) throw malformed('an array longer than the input');
  const items: CborValue[] = [];
  for (let i = 0; i < count; i += 1) items.push(readValue(input, depth - 1));
  return items;
}

function readMap(input: Input, count: number, depth: number): { [key: string]: CborValue } {
  if (depth === 0) throw malformed('nested too deeply');
  if (count > left(input) / 2) throw malformed('a map longer than the input');
  const map: { [key: string]: CborValue } = {};
  let previous: Uint8Array = new Uint8Array(0);
  for (let i = 0; i < count; i += 1) {
    const start = input.at;
    const first = readByte(input);
    if (first >> 5 !== 3) throw malformed('a key that is not text');
    const key = readText(input, readArgument(input, first & 31));
    const encoded = input.bytes.subarray(start, input.at);
    if (compareBytes(previous, encoded) >= 0) throw malformed('keys that are twice there or out of order');
    if (key === '__proto__') throw malformed('the key __proto__');
    previous = encoded;
    map[key] = readValue(input, depth - 1);
  }
  return map;
}

function readText(input: Input, sizeBytes: number): string {
  const text = decodeUtf8(take(input, sizeBytes));
  if (text === null) throw malformed('text that is not UTF-8');
  return text;
}

function readSimple(input: Input, info: number): CborValue {
  if (info === 20) return false;
  if (info === 21) return true;
  if (info === 22) return null;
  const sizeBytes = info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : null;
  if (sizeBytes === null) throw malformed('a simple value that is not used');
  const { view } = input;
  const at = input.at;
  take(input, sizeBytes);
  const value =
    sizeBytes === 2
      ? halfValue(view.getUint16(at))
      : sizeBytes === 4
        ? view.getFloat32(at)
        : view.getFloat64(at);
  // Integers have their own form, so minus zero and large powers of two are refused here too.
  if (!Number.isFinite(value) || Number.isInteger(value)) throw malformed('a float that is no fraction');
  if (floatWidth(value) !== sizeBytes) throw malformed('a float that is not in its shortest form');
  return value;
}

/** The argument of a first byte, in its shortest form only (RFC 8949 §4.2.1). */
function readArgument(input: Input, info: number): number {
  if (info < 24) return info;
  const { view } = input;
  const at = input.at;
  let argument: number | null;
  let least: number;
  if (info === 24) {
    argument = readByte(input);
    least = 24;
  } else if (info === 25) {
    take(input, 2);
    argument = view.getUint16(at);
    least = 0x100;
  } else if (info === 26) {
    take(input, 4);
    argument = view.getUint32(at);
    least = 0x10000;
  } else if (info === 27) {
    take(input, 8);
    argument = readUint64(input.bytes, at);
    least = 2 ** 32;
  } else {
    throw malformed('an indefinite length or a reserved form');
  }
  if (argument === null) throw malformed('an integer beyond 2^53');
  if (argument < least) throw malformed('an integer that is not in its shortest form');
  return argument;
}

function readByte(input: Input): number {
  return take(input, 1)[0] as number;
}

function take(input: Input, sizeBytes: number): Uint8Array {
  if (sizeBytes > left(input)) throw malformed('cut short');
  const start = input.at;
  input.at += sizeBytes;
  return input.bytes.subarray(start, input.at);
}

function left(input: Input): number {
  return input.bytes.length - input.at;
}

function malformed(what: string): CryptoError {
  return new CryptoError('malformed', `not the deterministic encoding: ${what}`);
}
