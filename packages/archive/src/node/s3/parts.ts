import type { ByteStream } from '../../container/destination.ts';

const FIRST_BYTES = 8 * 1024 * 1024;
const SMALLEST_BYTES = 64 * 1024;
const SAME_SIZE = 1000;

/**
 * The size of part `number`, from 1. The first thousand are 8 MiB, the next twice that, and so on: each is within
 * S3's 5 MiB to 5 GiB, and its 10,000 make more than its 5 TiB. Only of a file over 8 GB is more held in memory.
 */
export function partBytes(number: number): number {
  return FIRST_BYTES * 2 ** Math.floor((number - 1) / SAME_SIZE);
}

/** A stretch of a file; all but the last are full. Its bytes are good until the next one is asked for. */
export interface Part {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/** Cuts what comes in pieces of any size into parts; there is at least one. */
export async function* inParts(bytes: ByteStream): AsyncGenerator<Part, void, undefined> {
  let number = 1;
  let part = new Uint8Array(SMALLEST_BYTES);
  let filled = 0;
  for await (const piece of bytes)
    for (let offset = 0; offset < piece.length;) {
      const sizeBytes = partBytes(number);
      if (filled === sizeBytes) {
        yield { bytes: part, isLast: false };
        number += 1;
        filled = 0;
        continue;
      }
      const taken = Math.min(sizeBytes - filled, piece.length - offset);
      part = withRoom(part, filled, filled + taken, sizeBytes);
      part.set(piece.subarray(offset, offset + taken), filled);
      offset += taken;
      filled += taken;
    }
  yield { bytes: part.subarray(0, filled), isLast: true };
}

/** Most files are far smaller than a part. */
function withRoom(
  part: Uint8Array<ArrayBuffer>,
  filled: number,
  neededBytes: number,
  mostBytes: number,
): Uint8Array<ArrayBuffer> {
  if (neededBytes <= part.length) return part;
  const larger = new Uint8Array(Math.min(mostBytes, Math.max(neededBytes, 4 * part.length)));
  larger.set(part.subarray(0, filled));
  return larger;
}
