import { describe, expect, test, vi } from 'vitest';
import {
  concatBytes,
  openAttachment,
  openingStream,
  sealAttachment,
  sealingStream,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { CHUNK, content, isSame, sealAll } from './attachment-world.ts';
import { codeOf, codeOfAsync } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return concatBytes(...parts);
}

const streamOf = (...parts: Uint8Array[]) => ReadableStream.from(parts);

describe('attachments as Web Streams', () => {
  test('there and back', async () => {
    const plain = content(5 * CHUNK + 3);
    const sealer = sealAttachment({ primitives, random: seededRandom('attachment') });
    const ciphertext = await collect(
      streamOf(plain.subarray(0, 7), plain.subarray(7), new Uint8Array(0)).pipeThrough(sealingStream(sealer)),
    );
    expect(isSame(ciphertext, sealAll(plain).ciphertext)).toBe(true);
    const opener = openAttachment(primitives, sealer.descriptor());
    const opened = await collect(streamOf(ciphertext).pipeThrough(openingStream(opener)));
    expect(isSame(opened, plain)).toBe(true);
  });

  test('a stream that ends early, or is altered, errors with the code and tells its source', async () => {
    const { descriptor, ciphertext } = sealAll(content(3 * CHUNK));
    const read = (...parts: Uint8Array[]) =>
      codeOfAsync(() =>
        collect(streamOf(...parts).pipeThrough(openingStream(openAttachment(primitives, descriptor)))),
      );
    expect(await read(ciphertext)).toBeNull();
    expect(await read(ciphertext.subarray(0, -1))).toBe('truncated');
    expect(await read(ciphertext, Uint8Array.of(0))).toBe('malformed');
    const cancelled = vi.fn<(reason: unknown) => void>();
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(CHUNK)),
      cancel: cancelled,
    });
    const opening = openingStream(openAttachment(primitives, descriptor));
    expect(await codeOfAsync(() => collect(endless.pipeThrough(opening)))).toBe('decryption-failed');
    expect(cancelled).toHaveBeenCalledOnce();
  });

  test('a slow reader holds up the source: memory stays flat', async () => {
    let pulled = 0;
    const source = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (pulled === 64 * CHUNK) return controller.close();
          pulled += CHUNK;
          controller.enqueue(new Uint8Array(CHUNK));
        },
      },
      { highWaterMark: 0 },
    );
    const sealer = sealAttachment({ primitives, random: seededRandom('flat') });
    let read = 0;
    for await (const chunk of source.pipeThrough(sealingStream(sealer))) {
      read += chunk.length;
      expect(pulled - read).toBeLessThanOrEqual(4 * CHUNK);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sealer.descriptor().sizeBytes).toBe(64 * CHUNK);
  });

  test('one large write is sealed as it is read', async () => {
    const sealer = sealAttachment({ primitives, random: seededRandom('large') });
    const reader = streamOf(content(20 * CHUNK))
      .pipeThrough(sealingStream(sealer))
      .getReader();
    await reader.read();
    expect(sealer.resumeOffset).toBe(CHUNK);
    await reader.cancel();
  });

  test('a runtime without them says so', () => {
    vi.stubGlobal('TransformStream', undefined);
    const sealer = sealAttachment({ primitives, random: seededRandom('none') });
    expect(codeOf(() => sealingStream(sealer))).toBe('unsupported-runtime');
    vi.unstubAllGlobals();
  });
});
