import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ciphertextRange, openAttachmentRange } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { CHUNK, content, isSame, modes, SEALED, sealAll, sizes } from './attachment-world.ts';
import { codeOf } from './code-of.ts';

describe('ranges of an attachment', () => {
  test('equal slices of the whole, from whole chunks and no more of them than needed', () => {
    fc.assert(
      fc.property(sizes, modes, fc.nat(), fc.nat(), (size, mode, a, b) => {
        const plain = content(size);
        const { descriptor, ciphertext } = sealAll(plain, mode);
        const offset = a % (size + 1);
        const range = { offset, sizeBytes: b % (size - offset + 1) };
        const plan = ciphertextRange(descriptor, range);
        const fetched = ciphertext.subarray(plan.offset, plan.offset + plan.sizeBytes);
        expect(fetched.length).toBe(plan.sizeBytes);
        expect(plan.sizeBytes).toBeLessThanOrEqual((Math.ceil(range.sizeBytes / CHUNK) + 1) * SEALED);
        const opened = openAttachmentRange(primitives, descriptor, range, fetched);
        expect(isSame(opened, plain.subarray(offset, offset + range.sizeBytes))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('outside of the content are refused', () => {
    const size = { sizeBytes: 100, padded: true };
    for (const [offset, sizeBytes] of [
      [0, 101],
      [100, 1],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [2 ** 53, 0],
      [Number.NaN, 1],
    ] as const)
      expect(codeOf(() => ciphertextRange(size, { offset, sizeBytes }))).toBe('malformed');
    expect(ciphertextRange(size, { offset: 100, sizeBytes: 0 }).sizeBytes).toBe(0);
  });

  test('altered, moved, too short or too long ciphertext is refused', () => {
    const { descriptor, ciphertext } = sealAll(content(3 * CHUNK));
    const range = { offset: CHUNK + 5, sizeBytes: CHUNK };
    const plan = ciphertextRange(descriptor, range);
    const right = ciphertext.slice(plan.offset, plan.offset + plan.sizeBytes);
    const open = (bytes: Uint8Array) =>
      codeOf(() => openAttachmentRange(primitives, descriptor, range, bytes));
    expect(open(right)).toBeNull();
    expect(open(right.subarray(1))).toBe('truncated');
    expect(open(ciphertext)).toBe('malformed');
    expect(open(ciphertext.subarray(0, right.length))).toBe('decryption-failed');
    right[right.length - 1] = (right[right.length - 1] as number) ^ 1;
    expect(open(right)).toBe('decryption-failed');
  });
});
