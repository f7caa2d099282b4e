import type { ByteStream } from './container/destination.ts';

/**
 * Goes through pieces in order: `take` sees one before the next is asked for, `follow` runs while the next one is made.
 * Each piece that both are done with is given back to the generator that yielded it, as the value of its `yield`:
 * those with a `pieceMemory` fill it anew, all others take no notice. So a generator between, which may keep pieces,
 * has to do nothing for them to stay as they are.
 */
export async function throughPieces(
  bytes: ByteStream,
  take: (piece: Uint8Array) => void,
  follow?: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  const pieces = Symbol.asyncIterator in bytes ? bytes[Symbol.asyncIterator]() : bytes[Symbol.iterator]();
  let following: Promise<void> = Promise.resolve();
  let last: Uint8Array | undefined;
  let done: Uint8Array | undefined;
  try {
    for (;;) {
      const next = await pieces.next(done);
      if (next.done === true) break;
      take(next.value);
      if (follow === undefined) {
        done = next.value;
        continue;
      }
      await following;
      [done, last] = [last, next.value];
      following = follow(last);
      // It is told where it is waited for.
      following.catch(() => {});
    }
    await following;
  } catch (error) {
    await Promise.allSettled([following, pieces.return?.()]);
    throw error;
  }
}

/** Memory for the pieces of one generator: what was given back, as long as it is large enough, or new. */
export interface PieceMemory {
  /** Filled with anything. */
  take(sizeBytes: number): Uint8Array;
  /** Takes what a `yield` came back with: a piece of this memory that nobody reads any more, or nothing. */
  giveBack(piece: Uint8Array | undefined): void;
}

/** Memory for pieces, of which at most one is kept: the collector lets tens of megabytes of them pile up. */
export function pieceMemory(): PieceMemory {
  const own = new WeakSet<ArrayBufferLike>();
  let spare: ArrayBufferLike | null = null;
  return {
    take(sizeBytes) {
      if (spare === null || spare.byteLength < sizeBytes) {
        const fresh = new Uint8Array(sizeBytes);
        own.add(fresh.buffer);
        return fresh;
      }
      const piece = new Uint8Array(spare, 0, sizeBytes);
      spare = null;
      return piece;
    },
    giveBack(piece) {
      if (piece !== undefined && own.has(piece.buffer)) spare = piece.buffer;
    },
  };
}
