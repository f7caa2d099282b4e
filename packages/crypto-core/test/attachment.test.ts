import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asciiBytes,
  chunkCount,
  ciphertextBytes,
  concatBytes,
  contentCheck,
  decodeCbor,
  encodeAttachmentDescriptor,
  encodeCbor,
  openAttachment,
  openAttachmentChunk,
  parseAttachmentDescriptor,
  resumeSealing,
  sealAttachment,
  Secret,
  type CborValue,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { CHUNK, content, isSame, modes, openAll, SEALED, sealAll, sizes } from './attachment-world.ts';
import { codeOf } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';

const RUNS = { numRuns: 25 };
const steps = fc.oneof(fc.constantFrom(CHUNK, SEALED, CHUNK - 1), fc.integer({ min: 1000, max: 300_000 }));

describe('attachments', () => {
  test('come back as they were, however the bytes are cut', () => {
    fc.assert(
      fc.property(sizes, modes, steps, steps, (size, mode, sealStep, openStep) => {
        const plain = content(size);
        const { descriptor, chunks, ciphertext } = sealAll(plain, mode, sealStep);
        expect(isSame(ciphertext, sealAll(plain, mode).ciphertext)).toBe(true);
        expect(chunks.length).toBe(chunkCount(descriptor));
        expect(ciphertext.length).toBe(ciphertextBytes(descriptor));
        expect(descriptor).toMatchObject({ sizeBytes: size, padded: mode.padded });
        const opened = openAll(descriptor, ciphertext, openStep);
        expect(opened.code).toBeNull();
        expect(isSame(opened.content, plain)).toBe(true);
      }),
      RUNS,
    );
  });

  test('padding makes few sizes', () => {
    const size = (sizeBytes: number) => ciphertextBytes({ sizeBytes, padded: true });
    expect([0, 1, 2, 3].map(size)).toEqual([18, 18, 18, 19]);
    expect(size(1_000_001)).toBe(size(1_015_000));
    expect(new Set(Array.from({ length: 4000 }, (_, i) => size(i * 1009))).size).toBeLessThan(300);
    for (let bytes = 1; bytes < 2 ** 40; bytes *= 3) expect(size(bytes)).toBeLessThan(bytes * 1.13 + 100);
  });

  test('padding of several chunks', () => {
    const plain = content(4 * 2 ** 20 + 1);
    const { descriptor, ciphertext } = sealAll(plain);
    expect(chunkCount(descriptor)).toBe(66);
    const opened = openAll(descriptor, ciphertext);
    expect(opened.code).toBeNull();
    expect(isSame(opened.content, plain)).toBe(true);
  });

  test('each has a key of its own', () => {
    const random = seededRandom('two attachments');
    const [one, two] = [1, 2].map(() => sealAttachment({ primitives, random }));
    for (const sealer of [one, two]) expect([...(sealer?.end() ?? [])].length).toBe(1);
    expect(one?.descriptor().key.equals(two?.descriptor().key as Secret)).toBe(false);
  });

  test('a sealer that ended takes no more, and has no descriptor before', () => {
    const sealer = sealAttachment({ primitives, random: seededRandom('ended') });
    expect(codeOf(() => sealer.descriptor())).toBe('truncated');
    expect([...sealer.end()].length).toBe(1);
    expect(codeOf(() => sealer.push(content(1)))).toBe('malformed');
    expect(codeOf(() => [...sealer.end()])).toBe('malformed');
  });
});

describe('resuming', () => {
  test('sealing gives the same ciphertext as sealing without a stop', () => {
    fc.assert(
      fc.property(sizes, modes, fc.nat(), (size, mode, stopAt) => {
        const plain = content(size);
        const whole = sealAll(plain, mode);
        const stop = stopAt % (size + 1);
        const first = sealAttachment({ primitives, random: seededRandom('attachment'), ...mode });
        const before = first.push(plain.subarray(0, stop));
        const { resumeOffset } = first;
        const second = resumeSealing(primitives, first.checkpoint());
        expect(second.resumeOffset).toBe(resumeOffset);
        const after = [...second.push(plain.subarray(resumeOffset)), ...second.end()];
        expect(isSame(concatBytes(...before, ...after), whole.ciphertext)).toBe(true);
        expect(encodeAttachmentDescriptor(second.descriptor())).toEqual(
          encodeAttachmentDescriptor(whole.descriptor),
        );
      }),
      RUNS,
    );
  });

  test('opening gives the same content as opening without a stop', () => {
    fc.assert(
      fc.property(sizes, modes, fc.nat(), (size, mode, stopAt) => {
        const plain = content(size);
        const { descriptor, ciphertext } = sealAll(plain, mode);
        const first = openAttachment(primitives, descriptor);
        const before = first.push(ciphertext.subarray(0, stopAt % (ciphertext.length + 1)));
        const second = openAttachment(primitives, descriptor, first.checkpoint());
        expect(second.resumeOffset).toBe(first.resumeOffset);
        const after = second.push(ciphertext.subarray(first.resumeOffset));
        second.end();
        expect(isSame(concatBytes(...before, ...after), plain)).toBe(true);
      }),
      RUNS,
    );
  });

  test('goes on after what was given, not after what a failing call had opened', () => {
    const plain = content(3 * CHUNK);
    const { descriptor, ciphertext } = sealAll(plain);
    const opener = openAttachment(primitives, descriptor);
    const given = opener.push(ciphertext.subarray(0, SEALED));
    const damaged = ciphertext.slice(SEALED);
    damaged[SEALED] = (damaged[SEALED] as number) ^ 1;
    expect(codeOf(() => opener.push(damaged))).toBe('decryption-failed');
    expect(codeOf(() => opener.push(ciphertext.subarray(SEALED)))).toBe('decryption-failed');
    expect(codeOf(() => opener.end())).toBe('decryption-failed');
    const again = openAttachment(primitives, descriptor, opener.checkpoint());
    expect(again.resumeOffset).toBe(SEALED);
    expect(concatBytes(...given, ...again.push(ciphertext.subarray(SEALED)))).toEqual(plain);
  });

  test('a content that has shrunk is refused', () => {
    const sealer = sealAttachment({ primitives, random: seededRandom('shrunk') });
    sealer.push(content(CHUNK + 1));
    expect(codeOf(() => [...resumeSealing(primitives, sealer.checkpoint()).end()])).toBe('truncated');
  });

  test('a checkpoint that is not one is refused', () => {
    const { descriptor } = sealAll(content(3 * CHUNK));
    const hash = new Uint8Array(32);
    const wrong: CborValue[] = [
      [2, [1, [hash]]],
      [1, [1, []]],
      [1, [1, [hash, hash]]],
      [1, [1, null]],
      [1, [9, [hash, hash]]],
      [1, [1, [hash.subarray(1)]]],
      [1, [3, [hash, hash]]],
      [1],
    ];
    const codes = wrong.map((value) =>
      codeOf(() => openAttachment(primitives, descriptor, encodeCbor(value))),
    );
    expect(codes).toEqual([
      'unsupported-version',
      ...Array.from({ length: 5 }, () => 'malformed'),
      'content-mismatch',
      'malformed',
    ]);
    expect(codeOf(() => resumeSealing(primitives, encodeCbor([1, hash, true, [1, []]])))).toBe('malformed');
    expect(codeOf(() => resumeSealing(primitives, new Uint8Array(5000)))).toBe('too-large');
  });
});

describe('the descriptor', () => {
  test('round trip', () => {
    fc.assert(
      fc.property(sizes, modes, (size, mode) => {
        const { descriptor, ciphertext } = sealAll(content(size), mode);
        const bytes = encodeAttachmentDescriptor(descriptor);
        expect(bytes.length).toBeLessThan(90);
        expect(openAll(parseAttachmentDescriptor(bytes), ciphertext).code).toBeNull();
      }),
      RUNS,
    );
  });
  test('is refused when it is not one', () => {
    const good = decodeCbor(encodeAttachmentDescriptor(sealAll(content(5)).descriptor), 200) as CborValue[];
    const changed = (at: number, value: CborValue) =>
      codeOf(() => parseAttachmentDescriptor(encodeCbor(good.with(at, value))));
    expect(changed(0, 2)).toBe('unsupported-version');
    expect(changed(1, 2)).toBe('unsupported-version');
    expect(changed(2, new Uint8Array(31))).toBe('malformed');
    expect(changed(3, 2 ** 40 + 1)).toBe('malformed');
    expect(changed(3, -1)).toBe('malformed');
    expect(changed(4, 1)).toBe('malformed');
    expect(changed(5, new Uint8Array(31))).toBe('malformed');
    expect(changed(5, new Uint8Array(100))).toBe('too-large');
    expect(codeOf(() => parseAttachmentDescriptor(encodeCbor(good.slice(0, 5))))).toBe('malformed');
  });
  test('does not print the key', () => {
    const { descriptor } = sealAll(asciiBytes('x'));
    expect(JSON.stringify(descriptor)).toContain('[secret]');
  });
});

describe('content without its ciphertext', () => {
  test('is what its sender described, however it is cut, and nothing else is', () => {
    fc.assert(
      fc.property(sizes, modes, steps, fc.nat(), (size, mode, step, flip) => {
        const plain = content(size);
        const { descriptor } = sealAll(plain, mode);
        const isDescribed = (bytes: Uint8Array): boolean => {
          const check = contentCheck(primitives, descriptor);
          for (let i = 0; i < bytes.length; i += step) check.push(bytes.subarray(i, i + step));
          return check.isDescribed();
        };
        expect(isDescribed(plain)).toBe(true);
        expect(isDescribed(content(size + 1))).toBe(false);
        if (size === 0) return;
        expect(isDescribed(content(size - 1))).toBe(false);
        const other = plain.slice();
        other[flip % size] = (other[flip % size] as number) ^ 1;
        // Without a root, whoever has the key could have made it.
        expect(isDescribed(other)).toBe(!mode.bound);
      }),
      RUNS,
    );
  });
});

describe('single chunks', () => {
  test('open alone, and only in their place', () => {
    const plain = content(2 * CHUNK + 10);
    const { descriptor, chunks } = sealAll(plain);
    for (const [index, chunk] of chunks.entries()) {
      expect(openAttachmentChunk(primitives, descriptor, index, chunk)).toEqual(
        plain.subarray(index * CHUNK, (index + 1) * CHUNK),
      );
      for (const other of [0, 1, 2].filter((number) => number !== index))
        expect(codeOf(() => openAttachmentChunk(primitives, descriptor, other, chunk))).toBe(
          'decryption-failed',
        );
    }
    for (const index of [-1, 3, 0.5, Number.NaN])
      expect(codeOf(() => openAttachmentChunk(primitives, descriptor, index, chunks[0] as Uint8Array))).toBe(
        'malformed',
      );
  });
});
