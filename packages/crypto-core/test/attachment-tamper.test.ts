import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  concatBytes,
  labelled,
  openAttachment,
  openAttachmentChunk,
  type AttachmentDescriptor,
  type CryptoErrorCode,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { CHUNK, content, isSame, modes, openAll, sealAll } from './attachment-world.ts';
import { codeOf } from './code-of.ts';

/** Everything a relay can do: the chunks it keeps, changed. `at` and `other` are chunk numbers. */
const attacks: Record<
  string,
  (chunks: Uint8Array[], at: number, other: number, foreign: Uint8Array[]) => Uint8Array[]
> = {
  drop: (chunks, at) => chunks.toSpliced(at, 1),
  duplicate: (chunks, at) => chunks.toSpliced(at, 0, chunks[at] as Uint8Array),
  replace: (chunks, at, other) => chunks.with(at, chunks[other] as Uint8Array),
  swap: (chunks, at, other) =>
    chunks.with(at, chunks[other] as Uint8Array).with(other, chunks[at] as Uint8Array),
  'take from another attachment': (chunks, at, _, foreign) => chunks.with(at, foreign[at] as Uint8Array),
  'truncate inside': (chunks, at) => [...chunks.slice(0, at), (chunks[at] as Uint8Array).subarray(0, -1)],
  'truncate between': (chunks, at) => chunks.slice(0, at),
  'append a chunk': (chunks, at) => [...chunks, chunks[at] as Uint8Array],
  'append a byte': (chunks) => [...chunks, Uint8Array.of(0)],
  'cut out a byte': (chunks, at) => chunks.with(at, (chunks[at] as Uint8Array).subarray(1)),
};
const REFUSALS: (CryptoErrorCode | null)[] = ['decryption-failed', 'truncated', 'malformed'];

describe('a relay that changes an attachment', () => {
  const sizes = fc.constantFrom(10, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77);
  for (const [name, attack] of Object.entries(attacks))
    test(`${name}: refused, and nothing wrong is given`, () => {
      fc.assert(
        fc.property(sizes, modes, fc.nat(), fc.nat(), (size, mode, a, b) => {
          const plain = content(size);
          const { descriptor, chunks } = sealAll(plain, mode);
          const foreign = sealAll(plain, mode, CHUNK, 'another').chunks;
          const changed = concatBytes(...attack(chunks, a % chunks.length, b % chunks.length, foreign));
          fc.pre(!isSame(changed, concatBytes(...chunks)));
          const opened = openAll(descriptor, changed, CHUNK);
          expect(REFUSALS).toContain(opened.code);
          expect(isSame(opened.content, plain.subarray(0, opened.content.length))).toBe(true);
        }),
        { numRuns: 15 },
      );
    });

  test('any flipped bit: refused before the chunk it is in is given', () => {
    const plain = content(2 * CHUNK + 100);
    const { descriptor, ciphertext } = sealAll(plain, { padded: false });
    fc.assert(
      fc.property(fc.nat(ciphertext.length - 1), fc.nat(7), (at, bit) => {
        const changed = ciphertext.slice();
        changed[at] = (changed[at] as number) ^ (1 << bit);
        const opened = openAll(descriptor, changed, 5000);
        expect(opened.code).toBe('decryption-failed');
        expect(opened.content.length).toBeLessThanOrEqual(Math.floor(at / (CHUNK + 16)) * CHUNK);
        expect(isSame(opened.content, plain.subarray(0, opened.content.length))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('truncation at a chunk is named, and so are bytes after the end', () => {
    const { descriptor, chunks } = sealAll(content(2 * CHUNK + 5));
    expect(openAll(descriptor, concatBytes(...chunks.slice(0, 2))).code).toBe('truncated');
    expect(openAll(descriptor, new Uint8Array(0)).code).toBe('truncated');
    expect(openAll(descriptor, concatBytes(...chunks, Uint8Array.of(1))).code).toBe('malformed');
  });

  test('a message that says less or more than was sealed does not fit', () => {
    const { descriptor, ciphertext } = sealAll(content(2 * CHUNK + 5), { padded: false, bound: false });
    for (const sizeBytes of [0, CHUNK, 2 * CHUNK, 2 * CHUNK + 4, 2 * CHUNK + 6, 3 * CHUNK])
      expect(openAll({ ...descriptor, sizeBytes }, ciphertext).code).not.toBeNull();
    // As many chunks, and a shorter last one: the last flag alone would not show it.
    expect(
      openAll({ ...descriptor, sizeBytes: 2 * CHUNK }, ciphertext.subarray(0, 2 * (CHUNK + 16))).code,
    ).toBe('decryption-failed');
  });
});

describe('a reader who makes another ciphertext with the key', () => {
  /** What anybody who knows the key can do: seal under it again. */
  const forge = (descriptor: AttachmentDescriptor, plain: Uint8Array) =>
    descriptor.key.use((key) =>
      primitives.aeadSeal({
        key,
        nonce: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
        associated: labelled('attachmentChunk'),
        data: plain,
      }),
    );

  test('is found out by the root; without a root it is not', () => {
    const bound = sealAll(content(20), { padded: false });
    const forged = forge(bound.descriptor, new Uint8Array(20).fill(7));
    expect(openAll(bound.descriptor, forged)).toEqual({
      content: new Uint8Array(0),
      code: 'content-mismatch',
    });
    const { content: accepted } = openAll({ ...bound.descriptor, root: null }, forged);
    expect(accepted).toEqual(new Uint8Array(20).fill(7));
  });
  test('never gets the last chunk of many to be given', () => {
    const one = sealAll(content(2 * CHUNK + 1), { padded: false });
    const other = sealAll(content(2 * CHUNK + 1).fill(9), { padded: false });
    const opened = openAll({ ...other.descriptor, root: one.descriptor.root }, other.ciphertext);
    expect(opened.code).toBe('content-mismatch');
    const opener = openAttachment(primitives, { ...other.descriptor, root: one.descriptor.root });
    expect(opener.push(other.ciphertext.subarray(0, 2 * (CHUNK + 16))).length).toBe(2);
    expect(codeOf(() => opener.push(other.ciphertext.subarray(2 * (CHUNK + 16))))).toBe('content-mismatch');
  });
  test('cannot make a chunk longer or shorter than the message says', () => {
    const { descriptor } = sealAll(content(20), { padded: false, bound: false });
    for (const sizeBytes of [19, 21]) {
      const forged = forge(descriptor, new Uint8Array(sizeBytes));
      expect(codeOf(() => openAttachmentChunk(primitives, descriptor, 0, forged))).toBe('decryption-failed');
    }
  });
  test('cannot hide anything in the padding', () => {
    const { descriptor } = sealAll(content(9), { bound: false });
    const padded = new Uint8Array(10);
    expect(openAll(descriptor, forge(descriptor, padded)).code).toBeNull();
    padded[9] = 1;
    expect(openAll(descriptor, forge(descriptor, padded)).code).toBe('malformed');
  });
});
