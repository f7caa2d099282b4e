import { describe, expect, test } from 'vitest';
import { concatBytes, openAttachment, parseAttachmentDescriptor, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import { hex } from './vectors.ts';
import vectors from './vectors/attachment.json' with { type: 'json' };

function open(descriptor: string, ciphertext: string): Uint8Array {
  const opener = openAttachment(primitives, parseAttachmentDescriptor(hex(descriptor)));
  const content = opener.push(hex(ciphertext));
  opener.end();
  return concatBytes(...content);
}

describe('attachment vectors', () => {
  for (const { name, descriptor, ciphertext, content } of vectors.valid)
    test(`opens: ${name}`, () => expect(toHex(open(descriptor, ciphertext))).toBe(content));
  for (const { name, descriptor, ciphertext, code } of vectors.invalid)
    test(`refused: ${name}`, () => expect(codeOf(() => open(descriptor, ciphertext))).toBe(code));
});
