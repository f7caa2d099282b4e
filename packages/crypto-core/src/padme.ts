import { writeUint32 } from './bytes.ts';
import { CryptoError } from './errors.ts';

const LENGTH_BYTES = 4;

/**
 * Hides the length of `content` (PADMÉ, "Reducing Metadata Leakage from Encrypted Files", 2019, §4):
 * u32 length ‖ content ‖ zeros. At most 12 % longer; sizes fall into O(log log n) classes.
 */
export function pad(content: Uint8Array): Uint8Array {
  const room = padRoom(content.length);
  room.content.set(content);
  return room.padded;
}

/** Padded bytes with room for content: once `content`, a view into `padded`, is filled, `padded` is `pad(content)`. */
export function padRoom(sizeBytes: number): { readonly padded: Uint8Array; readonly content: Uint8Array } {
  const padded = new Uint8Array(padmeSize(LENGTH_BYTES + sizeBytes));
  writeUint32(padded, 0, sizeBytes);
  return { padded, content: padded.subarray(LENGTH_BYTES, LENGTH_BYTES + sizeBytes) };
}

/** Undoes `pad`; the content is a view into `padded`. @throws CryptoError `malformed`: size or padding not as `pad` makes them */
export function unpad(padded: Uint8Array): Uint8Array {
  if (padded.length < LENGTH_BYTES) throw malformed();
  const sizeBytes = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  if (padmeSize(LENGTH_BYTES + sizeBytes) !== padded.length) throw malformed();
  const end = LENGTH_BYTES + sizeBytes;
  for (let i = end; i < padded.length; i += 1) if (padded[i] !== 0) throw malformed();
  return padded.subarray(LENGTH_BYTES, end);
}

/** The padded size of `sizeBytes` bytes, which is at least 2: only the leading bits of the size may differ from zero. */
export function padmeSize(sizeBytes: number): number {
  const exponent = floorLog2(sizeBytes);
  const significantBits = floorLog2(exponent) + 1;
  const step = 2 ** (exponent - significantBits);
  return step < 1 ? sizeBytes : Math.ceil(sizeBytes / step) * step;
}

/** Of a positive integer below 2^63. `Math.log2` is an approximation (ECMA-262 §21.3.2.23), and engines may differ at powers of two. */
function floorLog2(value: number): number {
  return value < 2 ** 32 ? 31 - Math.clz32(value) : 63 - Math.clz32(value / 2 ** 32);
}

function malformed(): CryptoError {
  return new CryptoError('malformed', 'the padding is not what the specification says');
}
