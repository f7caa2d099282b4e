import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readerOf } from '../src/byte-reader.ts';
import { pieceMemory, throughPieces } from '../src/pieces.ts';

const COUNT = 9;
const SIZE = 10;
const whole = Uint8Array.from({ length: COUNT * SIZE }, (_, at) => Math.floor(at / SIZE));

/** Pieces whose memory goes round, and how much memory there was; `onEnd` when it is closed. */
function numbered({ onEnd = () => {}, failsAt = COUNT }: { onEnd?: () => void; failsAt?: number } = {}) {
  const buffers = new Set<ArrayBufferLike>();
  async function* pieces(): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
    const memory = pieceMemory();
    try {
      for (let number = 0; number < COUNT; number += 1) {
        if (number === failsAt) throw new Error('made no more');
        const piece = memory.take(SIZE).fill(number);
        buffers.add(piece.buffer);
        memory.giveBack(yield piece);
      }
    } finally {
      onEnd();
    }
  }
  return { buffers, pieces: pieces() };
}

async function* passedOn(pieces: AsyncIterable<Uint8Array>, kept: Uint8Array[]) {
  for await (const piece of pieces) {
    kept.push(piece);
    yield piece;
  }
}

describe('pieces whose memory goes round', () => {
  test('are what they were until what follows is done with them', async () => {
    const { buffers, pieces } = numbered();
    const written: number[] = [];
    let isWriting = false;
    await throughPieces(
      pieces,
      () => {},
      async (piece) => {
        expect(isWriting).toBe(false);
        isWriting = true;
        for (let turn = 0; turn < 3; turn += 1) await setImmediate();
        written.push(...piece);
        isWriting = false;
      },
    );
    expect(Uint8Array.from(written)).toEqual(whole);
    expect(buffers.size).toBe(2);
  });

  test('are one where nothing follows', async () => {
    const { buffers, pieces } = numbered();
    const read: number[] = [];
    await throughPieces(pieces, (piece) => void read.push(...piece));
    expect(Uint8Array.from(read)).toEqual(whole);
    expect(buffers.size).toBe(1);
  });

  test('stay as they are for whoever keeps them, in between or at the end', async () => {
    const kept: Uint8Array[] = [];
    await throughPieces(passedOn(numbered().pieces, kept), () => {});
    expect(new Uint8Array(Buffer.concat(kept))).toEqual(whole);
    kept.length = 0;
    for await (const piece of numbered().pieces) kept.push(piece);
    expect(new Uint8Array(Buffer.concat(kept))).toEqual(whole);
  });

  test('are read without harm to what was read of them before, and go round where it was copied', async () => {
    for (const step of [3, SIZE, 25]) {
      const reader = readerOf(numbered().pieces);
      const parts: Uint8Array[] = [];
      while (!(await reader.isAtEnd())) parts.push(await reader.read(step));
      expect(new Uint8Array(Buffer.concat(parts))).toEqual(whole);
    }
    const lines = readerOf(numbered().pieces);
    const found: (Uint8Array | null)[] = [];
    for (let number = 1; number < COUNT; number += 1) found.push(await lines.readUntil(number, SIZE + 1));
    for (const [number, line] of found.entries())
      expect(line).toEqual(new Uint8Array(number === 0 ? SIZE : SIZE - 1).fill(number));
    const { buffers, pieces } = numbered();
    const reader = readerOf(pieces);
    const target = new Uint8Array(whole.length + 1);
    expect(await reader.readInto(target)).toEqual(whole);
    expect(buffers.size).toBe(1);
  });

  test('end with the first error, once nothing is under way any more', async () => {
    let isEnded = false;
    const onEnd = (): void => void (isEnded = true);
    const fullDisk = throughPieces(
      numbered({ onEnd }).pieces,
      () => {},
      async ([number]) => {
        await setImmediate();
        if (number === 2) throw new Error('no room');
      },
    );
    await expect(fullDisk).rejects.toThrow('no room');
    expect(isEnded).toBe(true);
    const notTaken = throughPieces(numbered({ onEnd }).pieces, () => {
      throw new Error('not taken');
    });
    await expect(notTaken).rejects.toThrow('not taken');

    let written = 0;
    const broken = throughPieces(
      numbered({ failsAt: 4 }).pieces,
      () => {},
      async () => {
        for (let turn = 0; turn < 3; turn += 1) await setImmediate();
        written += 1;
      },
    );
    await expect(broken).rejects.toThrow('made no more');
    expect(written).toBe(4);
  });

  test('are given back by nobody else: memory of others is not taken', () => {
    const memory = pieceMemory();
    const foreign = new Uint8Array(SIZE);
    memory.giveBack(foreign);
    expect(memory.take(SIZE).buffer).not.toBe(foreign.buffer);
    const own = memory.take(SIZE);
    memory.giveBack(own.subarray(0, 3));
    expect(memory.take(SIZE + 1).buffer).not.toBe(own.buffer);
    expect(memory.take(SIZE).buffer).toBe(own.buffer);
    expect(memory.take(SIZE).buffer).not.toBe(own.buffer);
  });
});
