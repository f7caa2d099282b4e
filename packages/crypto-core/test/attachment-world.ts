import {
  concatBytes,
  openAttachment,
  sealAttachment,
  type AttachmentDescriptor,
  type CryptoErrorCode,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import fc from 'fast-check';
import { codeOf } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';

export const CHUNK = 65_536;
export const SEALED = CHUNK + 16;

const PATTERN = Uint8Array.from(
  { length: 5 * 2 ** 20 },
  (_, i) => (i * 31 + (i >> 8) * 17 + (i >> 16) * 101) & 0xff,
);

/** Content whose bytes differ from chunk to chunk, so that a chunk in a wrong place shows. */
export function content(sizeBytes: number): Uint8Array {
  return PATTERN.slice(0, sizeBytes);
}

/** Compares long byte strings fast; `toEqual` walks them. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Sizes around the edges of chunks, and any others of up to four chunks. */
export const sizes = fc.oneof(
  fc.constantFrom(0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK),
  fc.nat(4 * CHUNK),
);

export const modes = fc.record({ padded: fc.boolean(), bound: fc.boolean() });

export interface SealedAttachment {
  readonly descriptor: AttachmentDescriptor;
  readonly chunks: Uint8Array[];
  readonly ciphertext: Uint8Array;
}

/** Seals `plain` pushed in pieces of `step` bytes. */
export function sealAll(
  plain: Uint8Array,
  mode: { padded?: boolean; bound?: boolean } = {},
  step: number = plain.length || 1,
  seed = 'attachment',
): SealedAttachment {
  const sealer = sealAttachment({ primitives, random: seededRandom(seed), ...mode });
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < plain.length; i += step) chunks.push(...sealer.push(plain.subarray(i, i + step)));
  chunks.push(...sealer.end());
  return { descriptor: sealer.descriptor(), chunks, ciphertext: concatBytes(...chunks) };
}

/** What a reader gets before the refusal, and the refusal's code. */
export function openAll(
  descriptor: AttachmentDescriptor,
  ciphertext: Uint8Array,
  step: number = ciphertext.length || 1,
): { content: Uint8Array; code: CryptoErrorCode | null } {
  const opener = openAttachment(primitives, descriptor);
  const given: Uint8Array[] = [];
  const code = codeOf(() => {
    for (let i = 0; i < ciphertext.length; i += step)
      given.push(...opener.push(ciphertext.subarray(i, i + step)));
    opener.end();
  });
  return { content: concatBytes(...given), code };
}
