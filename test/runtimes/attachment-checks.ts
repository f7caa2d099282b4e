import {
  ciphertextRange,
  concatBytes,
  encodeAttachmentDescriptor,
  openAttachment,
  openAttachmentRange,
  openingStream,
  parseAttachmentDescriptor,
  resumeSealing,
  sealAttachment,
  toHex,
  type AttachmentDescriptor,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import { expectBytes, expectEqual, hexBytes, outcomeOf, type Checks } from './checks.ts';

/** Cases of packages/crypto-core/test/vectors/attachment.json. */
export interface AttachmentVectors {
  readonly valid: readonly { name: string; descriptor: string; ciphertext: string; content: string }[];
  readonly invalid: readonly { name: string; descriptor: string; ciphertext: string; code: string }[];
}

const CHUNK_BYTES = 65_536;
const SEALED_BYTES = CHUNK_BYTES + 16;

/** The vectors, then what a member does with an attachment of two chunks, by the calls that need no streams. */
export async function checkAttachments(
  checks: Checks,
  primitives: Primitives,
  random: Random,
  vectors: AttachmentVectors,
): Promise<Record<string, string>> {
  const read = (descriptor: AttachmentDescriptor, ...pieces: Uint8Array[]): Uint8Array => {
    const opener = openAttachment(primitives, descriptor);
    const content = pieces.flatMap((piece) => opener.push(piece));
    opener.end();
    return concatBytes(...content);
  };
  const readHex = (descriptor: string, ciphertext: string): Uint8Array =>
    read(parseAttachmentDescriptor(hexBytes(descriptor)), hexBytes(ciphertext));
  for (const { name, descriptor, ciphertext, content } of vectors.valid)
    await checks.run(`attachment: ${name}`, () =>
      expectBytes(readHex(descriptor, ciphertext), hexBytes(content)),
    );
  for (const { name, descriptor, ciphertext, code } of vectors.invalid)
    await checks.run(`attachment, refused: ${name}`, () =>
      expectEqual(
        outcomeOf(() => readHex(descriptor, ciphertext)),
        code,
      ),
    );

  const content = new Uint8Array(CHUNK_BYTES + 500).map((_, i) => (i * 31 + (i >> 8)) & 0xff);
  const started = sealAttachment({ primitives, random });
  const start = started.push(content.subarray(0, CHUNK_BYTES + 10));
  const sealer = resumeSealing(primitives, started.checkpoint());
  const ciphertext = concatBytes(...start, ...sealer.push(content.subarray(CHUNK_BYTES)), ...sealer.end());
  const descriptor = sealer.descriptor();
  const [first, last] = [ciphertext.subarray(0, SEALED_BYTES), ciphertext.subarray(SEALED_BYTES)];

  await checks.run('attachment: sealed with a pause, opened with a pause', () => {
    const wire = parseAttachmentDescriptor(encodeAttachmentDescriptor(descriptor));
    const opener = openAttachment(primitives, wire);
    const begin = opener.push(ciphertext.subarray(0, SEALED_BYTES + 3));
    const rest = openAttachment(primitives, wire, opener.checkpoint());
    const end = rest.push(ciphertext.subarray(rest.resumeOffset));
    rest.end();
    expectBytes(concatBytes(...begin, ...end), content);
  });
  await checks.run('attachment: a stretch across two chunks', () => {
    const range = { offset: CHUNK_BYTES - 5, sizeBytes: 9 };
    const { offset, sizeBytes } = ciphertextRange(descriptor, range);
    const sealed = ciphertext.subarray(offset, offset + sizeBytes);
    const wanted = content.subarray(range.offset, range.offset + range.sizeBytes);
    expectBytes(openAttachmentRange(primitives, descriptor, range, sealed), wanted);
    expectEqual(
      outcomeOf(() => openAttachmentRange(primitives, descriptor, range, sealed.subarray(1))),
      'truncated',
    );
  });
  const refusals: readonly (readonly [string, string, readonly Uint8Array[]])[] = [
    ['without its last chunk', 'truncated', [first]],
    ['cut short', 'truncated', [ciphertext.subarray(0, -1)]],
    ['with its chunks in another order', 'decryption-failed', [last, first]],
    ['with a chunk twice', 'decryption-failed', [first, first]],
    ['with a byte after it', 'malformed', [ciphertext, new Uint8Array(1)]],
  ];
  for (const [name, code, pieces] of refusals)
    await checks.run(`attachment, refused: ${name}`, () =>
      expectEqual(
        outcomeOf(() => read(descriptor, ...pieces)),
        code,
      ),
    );
  await checks.run('attachment: streams, or the code that says there are none', () => {
    const exists = typeof TransformStream !== 'undefined';
    const outcome = outcomeOf(() => openingStream(openAttachment(primitives, descriptor)));
    expectEqual(outcome, exists ? 'accepted' : 'unsupported-runtime');
  });

  const short = sealAttachment({ primitives, random });
  const sealed = concatBytes(...short.push(content.subarray(0, 40)), ...short.end());
  return {
    attachment: toHex(sealed),
    descriptor: toHex(encodeAttachmentDescriptor(short.descriptor())),
  };
}
