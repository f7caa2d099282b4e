import { concatBytes } from '@keytide/crypto-core';

/** Reads bytes that come in pieces of any size. */
export interface ByteReader {
  /** The next `sizeBytes`, or fewer where the bytes end. */
  read(sizeBytes: number): Promise<Uint8Array>;
  /** Copies the next bytes, and gives the part of `target` that they fill: less than all of it where the bytes end. */
  readInto(target: Uint8Array): Promise<Uint8Array>;
  /** Up to and without the next `end`; `null` when none comes within `mostBytes`, or before the bytes end. */
  readUntil(end: number, mostBytes: number): Promise<Uint8Array | null>;
  /** Whether there are no more bytes. */
  isAtEnd(): Promise<boolean>;
  /** Lets go of the source, as of an open file, also before its end. */
  close(): Promise<void>;
}

/** Reads `source` once, piece by piece: never more of it than was asked for, but for the rest of a piece. */
export function readerOf(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): ByteReader {
  const pieces = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let piece = new Uint8Array() as Uint8Array;
  /** Of what the piece is the rest, as long as nobody else has a part of it: its maker can have it back. */
  let whole: Uint8Array | undefined;
  let isOver = false;

  async function more(): Promise<boolean> {
    while (piece.length === 0 && !isOver) {
      const next = await pieces.next(whole);
      if (next.done === true) isOver = true;
      else piece = whole = next.value;
    }
    return piece.length > 0;
  }

  function take(sizeBytes: number): Uint8Array {
    const taken = piece.subarray(0, sizeBytes);
    piece = piece.subarray(taken.length);
    return taken;
  }

  return {
    async read(sizeBytes) {
      const parts: Uint8Array[] = [];
      for (let left = sizeBytes; left > 0 && (await more());) {
        const part = take(left);
        whole = undefined;
        parts.push(part);
        left -= part.length;
      }
      return parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(...parts);
    },
    async readInto(target) {
      let filled = 0;
      while (filled < target.length && (await more())) {
        const part = take(target.length - filled);
        target.set(part, filled);
        filled += part.length;
      }
      return target.subarray(0, filled);
    },
    async readUntil(end, mostBytes) {
      const parts: Uint8Array[] = [];
      for (let left = mostBytes; left > 0 && (await more());) {
        const at = piece.subarray(0, left).indexOf(end);
        const part = take(at === -1 ? left : at);
        whole = undefined;
        parts.push(part);
        left -= part.length;
        if (at === -1) continue;
        take(1);
        return parts.length === 1 ? part : concatBytes(...parts);
      }
      return null;
    },
    isAtEnd: async () => !(await more()),
    async close() {
      isOver = true;
      await pieces.return?.();
    },
  };
}
