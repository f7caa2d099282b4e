import type { AttachmentRef } from '@keytide/client';
import {
  concatBytes,
  encodeCbor,
  fromBase64Url,
  parseAttachmentDescriptor,
  resumeSealing,
} from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Person, Stage } from './stage.ts';

const CHUNK = 65_552;

/** What the relay does to attachments is found out before it counts. */
export function hostileAttachments(stage: () => Stage): void {
  describe('an attachment', () => {
    const content = nodeRandom(65_536 * 3 + 1000);
    let ada: Person;
    let bo: Person;
    let ref: AttachmentRef;
    let ciphertext: Uint8Array;

    beforeAll(async () => {
      ({ ada, bo } = await stage().pair());
      ref = await ada.client.attachments.upload(content);
      const parts: Uint8Array[] = [];
      const end = stage().hostile.attack({
        async call(call, forward) {
          const answer = await forward(call);
          if (call.path.includes('/blobs/')) parts.push(answer.body as Uint8Array);
          return answer;
        },
      });
      expect((await readBy(bo)).error).toBeNull();
      end();
      ciphertext = concatBytes(...parts);
    });

    /** What `bo` gets of the attachment, and with which code it ends. */
    async function readBy(reader: Person): Promise<{ got: Uint8Array; error: string | null }> {
      const parts: Uint8Array[] = [];
      try {
        for await (const part of reader.client.attachments.download(ref)) parts.push(part);
        return { got: concatBytes(...parts), error: null };
      } catch (error) {
        return { got: concatBytes(...parts), error: (error as { code: string }).code };
      }
    }

    /** The same while the relay has other bytes in its place; what came before was right. */
    async function readOf(bytes: Uint8Array, mayAnswerMore = false): Promise<string | null> {
      const end = stage().hostile.attack({
        async call(call, forward) {
          if (!call.path.includes('/blobs/')) return await forward(call);
          const query = new URL(call.path, 'http://relay').searchParams;
          const offset = Number(query.get('offset'));
          const to = mayAnswerMore ? bytes.length : offset + Number(query.get('sizeBytes'));
          return { status: 200, body: bytes.slice(offset, to) };
        },
      });
      try {
        const { got, error } = await readBy(bo);
        expect(got).toEqual(content.slice(0, got.length));
        if (error !== null) expect(got.length).toBeLessThan(content.length);
        return error;
      } finally {
        end();
      }
    }

    test('altered in any place is refused', async () => {
      expect(await readOf(ciphertext)).toBeNull();
      for (const place of [0, 100, CHUNK - 1, CHUNK, 2 * CHUNK + 7, ciphertext.length - 1]) {
        const altered = ciphertext.slice();
        altered[place] = (altered[place] as number) ^ 1;
        expect(await readOf(altered), String(place)).toBe('decryption-failed');
      }
    });

    test('cut short, at any place, is not taken for whole', async () => {
      for (const length of [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK, ciphertext.length - 1])
        expect(await readOf(ciphertext.slice(0, length)), String(length)).toBe('truncated');
    });

    test('with chunks moved, repeated or left out is refused', async () => {
      const chunks = [0, 1, 2, 3].map((i) => ciphertext.slice(i * CHUNK, (i + 1) * CHUNK));
      const [a, b, c, d] = chunks as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
      for (const order of [
        [b, a, c, d],
        [a, a, c, d],
        [a, c, d, b],
        [a, b, c, c],
      ])
        expect(await readOf(concatBytes(...order).slice(0, ciphertext.length))).toBe('decryption-failed');
    });

    test('swapped for another of the same sender is refused', async () => {
      const other = await ada.client.attachments.upload(nodeRandom(content.length));
      const real = ref;
      ref = { ...real, blob: other.blob };
      expect(await readBy(bo)).toEqual({ got: new Uint8Array(), error: 'decryption-failed' });
      ref = real;
    });

    test('answered with more than was asked for is refused', async () => {
      expect(await readOf(concatBytes(ciphertext, new Uint8Array(10)), true)).toBe('relay-misbehaved');
    });

    test('made anew by another reader, who has the key, is refused before its last chunk', async () => {
      const descriptor = parseAttachmentDescriptor(fromBase64Url(ref.descriptor) as Uint8Array);
      const start = descriptor.key.use((key) => encodeCbor([1, key, descriptor.padded, [0, []]]));
      const sealer = resumeSealing(nodePrimitives, start);
      const forged = content.slice();
      forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1;
      const chunks = [...sealer.push(forged), ...sealer.end()];
      expect(await readOf(concatBytes(...chunks))).toBe('content-mismatch');
    });

    test('that the relay does not have any more is said to be gone', async () => {
      const end = stage().hostile.attack({
        call: async (call, forward) =>
          call.path.includes('/blobs/')
            ? { status: 404, body: { code: 'no-blob', message: '' } }
            : await forward(call),
      });
      expect(await readBy(bo)).toEqual({ got: new Uint8Array(), error: 'attachment-gone' });
      end();
    });

    test('whose bytes the relay counts wrongly is not taken for uploaded', async () => {
      for (const receivedBytes of [0, 5e11]) {
        const end = stage().hostile.attack({
          call: async (call, forward) =>
            call.method === 'PUT' && call.path.includes('/blobs/')
              ? { status: 200, body: { receivedBytes } }
              : await forward(call),
        });
        await expect(ada.client.attachments.upload(content)).rejects.toMatchObject({
          code: 'relay-misbehaved',
        });
        end();
      }
    });
  });
}
