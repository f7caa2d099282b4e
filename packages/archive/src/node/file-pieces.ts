import type { FileHandle } from 'node:fs/promises';
import type { ByteStream } from '../container/destination.ts';
import { pieceMemory, throughPieces } from '../pieces.ts';

const READ_BYTES = 1024 * 1024;

/**
 * What is left of an open file, in pieces of up to 1 MiB. Their memory goes round between this, `sealAge`, `openAge`
 * and `writePieces`: from file to file, twice as fast as the streams of Node. Whoever uses `for await` has new memory
 * for each piece. The file stays open.
 */
export async function* readPieces(
  file: FileHandle,
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  const memory = pieceMemory();
  const sizeBytes = Math.max(1, Math.min(READ_BYTES, (await file.stat()).size));
  for (;;) {
    const piece = memory.take(sizeBytes);
    const { bytesRead } = await file.read(piece, 0, sizeBytes);
    if (bytesRead === 0) return;
    memory.giveBack(yield piece.subarray(0, bytesRead));
  }
}

/**
 * Writes pieces into an open file, each while the next one is made. The file stays open, and is not synchronised.
 * @param take sees each piece, in order, before the next one is asked for
 */
export function writePieces(
  file: FileHandle,
  bytes: ByteStream,
  take: (piece: Uint8Array) => void = () => {},
): Promise<void> {
  return throughPieces(bytes, take, async (piece) => {
    for (let offset = 0; offset < piece.length;)
      offset += (await file.write(piece, offset, piece.length - offset)).bytesWritten;
  });
}
