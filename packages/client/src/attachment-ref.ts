import {
  CryptoError,
  encodeAttachmentDescriptor,
  fromBase64Url,
  parseAttachmentDescriptor,
  toBase64Url,
  type AttachmentDescriptor,
} from '@keytide/crypto-core';
import { z } from 'zod';

declare const sensitive: unique symbol;

/**
 * An attachment, as a message names it: where its ciphertext is and how it is opened. Whoever has it can read the
 * attachment, so it belongs into sensitive collections only; those of other classes refuse it.
 */
export interface AttachmentRef {
  /** The blob at the relay: 32 bytes as hex. */
  readonly blob: string;
  /** Key, size and root of the ciphertext (docs/spec/attachment.md), as base64url. */
  readonly descriptor: string;
  /** Bytes of the content. */
  readonly sizeBytes: number;
  /** What its sender calls it: for people, without a folder. */
  readonly name?: string;
  readonly mediaType?: string;
  readonly [sensitive]: true;
}

/** What people are told of an attachment. */
export const attachmentNames: z.ZodObject<{
  name: z.ZodExactOptional<z.ZodString>;
  mediaType: z.ZodExactOptional<z.ZodString>;
}> = z.strictObject({
  name: z.string().min(1).max(255).refine(isPlainName).exactOptional(),
  mediaType: z
    .string()
    .max(127)
    .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/)
    .exactOptional(),
});

const shape = z.strictObject({
  blob: z.string().regex(/^[0-9a-f]{64}$/),
  descriptor: z.string().max(171),
  sizeBytes: z.int().nonnegative(),
  ...attachmentNames.shape,
});

const schema = shape.refine((ref) => {
  const descriptor = descriptorIn(ref);
  descriptor?.key.dispose();
  return descriptor?.sizeBytes === ref.sizeBytes;
});

/** The schema of an attachment, for a field of a sensitive collection. */
export function attachment(): z.ZodType<AttachmentRef> {
  return schema as unknown as z.ZodType<AttachmentRef>;
}

/** What a message is to say. @throws ZodError for a name or a media type that is none */
export function attachmentRef(
  blob: string,
  descriptor: AttachmentDescriptor,
  named: { readonly name?: string; readonly mediaType?: string },
): AttachmentRef {
  return attachment().parse({
    blob,
    descriptor: toBase64Url(encodeAttachmentDescriptor(descriptor)),
    sizeBytes: descriptor.sizeBytes,
    ...named,
  });
}

/** The descriptor in a reference, or `null`: its key is the caller's to dispose. */
export function descriptorIn({ descriptor }: Pick<AttachmentRef, 'descriptor'>): AttachmentDescriptor | null {
  const bytes = fromBase64Url(descriptor);
  try {
    return bytes && parseAttachmentDescriptor(bytes);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    return null;
  }
}

/** No folder, no control and no direction characters: what a peer wrote may become the name of a file. */
function isPlainName(name: string): boolean {
  if (name === '.' || name === '..') return false;
  for (const character of name) {
    const code = character.codePointAt(0) as number;
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || character === '/' || character === '\\')
      return false;
    if (code === 0x200e || code === 0x200f || (code >= 0x202a && code <= 0x202e)) return false;
    if (code >= 0x2066 && code <= 0x2069) return false;
  }
  return true;
}

/** Whether there is an attachment anywhere in a value. */
export function holdsAttachment(value: unknown): boolean {
  return attachmentsIn(value).next().done === false;
}

/** The attachments that there are anywhere in a value. */
function* attachmentsIn(value: unknown): Generator<AttachmentRef, void> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  const parsed = attachment().safeParse(value);
  if (parsed.success) yield parsed.data;
  else for (const item of Object.values(value)) yield* attachmentsIn(item);
}

/** `true` for a type that has an attachment anywhere. */
type HoldsAttachment<T> = T extends AttachmentRef
  ? true
  : T extends readonly (infer Item)[]
    ? HoldsAttachment<Item>
    : T extends object
      ? true extends { [Key in keyof T]: HoldsAttachment<T[Key]> }[keyof T]
        ? true
        : false
      : false;

/** What the schema of a class that the relay reads must be besides: one that has no attachment. */
export type WithoutAttachment<T> =
  true extends HoldsAttachment<T>
    ? { readonly 'an attachment holds a key: only for sensitive collections': never }
    : unknown;
