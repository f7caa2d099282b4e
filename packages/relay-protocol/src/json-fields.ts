import { encodeUtf8, fromBase64Url } from '@keytide/crypto-core';
import { z } from 'zod';

/** An id of 32 bytes as hex. */
export const hex32: z.ZodType<string> = z.string().regex(/^[0-9a-f]{64}$/);

/** A number of something, or a time. */
export const count: z.ZodType<number> = z.int().nonnegative();

/** A place in a log, in the query of a request: written in one way. */
export const place: z.ZodType<number, string> = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,9})$/)
  .transform(Number);

/** Unpadded base64url text of at most `most` bytes; parses to the bytes. */
export function bytesOf(most: number): z.ZodType<Uint8Array> {
  return z
    .string()
    .max(Math.ceil((most * 4) / 3))
    .transform((text, context) => {
      const bytes = fromBase64Url(text);
      if (bytes !== null && bytes.length <= most) return bytes;
      context.addIssue('not unpadded base64url');
      return z.NEVER;
    });
}

/** Unpadded base64url text of so many bytes. */
export function exactBytes(size: number): z.ZodType<Uint8Array> {
  return bytesOf(size).refine((bytes) => bytes.length === size);
}

/** A signed note, as the text that it is; parses to its bytes, at most `most`. */
export function noteOf(most: number): z.ZodType<Uint8Array> {
  return z
    .string()
    .max(most)
    .transform((text, context) => {
      const bytes = encodeUtf8(text);
      if (bytes !== null && bytes.length <= most) return bytes;
      context.addIssue('not the text of a note');
      return z.NEVER;
    });
}
