import {
  CryptoError,
  decodeCbor,
  fromBase64Url,
  parseAttachmentDescriptor,
  type CborValue,
} from '@keytide/crypto-core';
import type { NamedAttachment } from '../export/source.ts';

const FIELDS: ReadonlySet<string> = new Set(['blob', 'descriptor', 'sizeBytes', 'name', 'mediaType']);
const BLOB = /^[0-9a-f]{64}$/;

/** The attachments that a payload names, also one of which an application makes nothing; none in what is no content. */
export function attachmentsInPayload(payload: Uint8Array): NamedAttachment[] {
  try {
    return attachmentsIn(decodeCbor(payload, payload.length));
  } catch (error) {
    if (error instanceof CryptoError) return [];
    throw error;
  }
}

/** The attachments that content names, anywhere in it: maps of the form that docs/spec/archive.md says. */
export function attachmentsIn(content: CborValue): NamedAttachment[] {
  if (typeof content !== 'object' || content === null || content instanceof Uint8Array) return [];
  if (Array.isArray(content)) return content.flatMap(attachmentsIn);
  const named = attachmentOf(content as { readonly [name: string]: CborValue });
  return named === null ? Object.values(content).flatMap(attachmentsIn) : [named];
}

function attachmentOf(map: { readonly [name: string]: CborValue }): NamedAttachment | null {
  const { blob, descriptor: text, sizeBytes, name = '', mediaType = '' } = map;
  const isOne =
    Object.keys(map).every((field) => FIELDS.has(field)) &&
    [blob, text, name, mediaType].every((field) => typeof field === 'string') &&
    BLOB.test(blob as string);
  const descriptor = isOne ? fromBase64Url(text as string) : null;
  if (descriptor === null) return null;
  try {
    const described = parseAttachmentDescriptor(descriptor);
    described.key.dispose();
    if (described.sizeBytes !== sizeBytes) return null;
    return { blob: blob as string, descriptor, sizeBytes: described.sizeBytes };
  } catch (error) {
    if (error instanceof CryptoError) return null;
    throw error;
  }
}
