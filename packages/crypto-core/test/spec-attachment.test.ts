import { describe, expect, test } from 'vitest';
import {
  asciiBytes,
  concatBytes,
  encodeAttachmentDescriptor,
  openAttachment,
  parseAttachmentDescriptor,
  sealAttachment,
  toHex,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { specExample } from './spec-page.ts';
import { filled } from './spec-world.ts';

describe('docs/spec/attachment.md', () => {
  const example = (name: string) => specExample('attachment', name);
  const random = (sizeBytes: number) => filled(0xa7, sizeBytes);

  test('ciphertext and descriptor are what is written for these inputs, and open', () => {
    const sealer = sealAttachment({ primitives, random });
    const ciphertext = concatBytes(...sealer.push(asciiBytes('hello, attachment')), ...sealer.end());
    expect(toHex(ciphertext)).toBe(toHex(example('ciphertext')));
    expect(toHex(encodeAttachmentDescriptor(sealer.descriptor()))).toBe(toHex(example('descriptor')));
    const opener = openAttachment(primitives, parseAttachmentDescriptor(example('descriptor')));
    expect(concatBytes(...opener.push(example('ciphertext')))).toEqual(asciiBytes('hello, attachment'));
    opener.end();
  });
  test('second chunk, and root of two', () => {
    const sealer = sealAttachment({ primitives, random, padded: false });
    const chunks = [...sealer.push(filled(0x61, 65_537)), ...sealer.end()];
    expect(chunks[1]).toEqual(example('second-chunk'));
    const { root } = sealer.descriptor();
    expect(root).toEqual(example('two-chunk-root'));
    // The formula of the page, by hand.
    const leaf = (chunk: Uint8Array) =>
      primitives.sha256(concatBytes(Uint8Array.of(0), primitives.sha256(chunk)));
    expect(primitives.sha256(concatBytes(Uint8Array.of(1), ...chunks.map(leaf)))).toEqual(root);
  });
});
