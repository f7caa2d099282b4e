import { encodeUtf8, fromBase64Url } from '@keytide/crypto-core';
import { z } from 'zod';

/** An id of 32 bytes as hex. */
export const hex32: z.ZodType<string> = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: '32 bytes as hex' });

/** A number of something, or a time. */
export const count: z.ZodType<number> = z.int().nonnegative();

/** A place in a log, in the query of a request: written in one way. */
export const place: z.ZodType<number, string> = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,9})$/)
  .transform(Number);

/** Unpadded base64url text of at most `most` bytes; parses to the bytes. */
export function bytesOf(most: number): z.ZodType<Uint8Array> {
  return base64Url(z.string().max(charactersOf(most)), `at most ${most} bytes`).refine(
    (bytes) => bytes.length <= most,
  );
}

/** Unpadded base64url text of so many bytes. */
export function exactBytes(size: number): z.ZodType<Uint8Array> {
  return base64Url(z.string().length(charactersOf(size)), `${size} bytes`).refine(
    (bytes) => bytes.length === size,
  );
}

function charactersOf(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/** What `meta` says is for readers of the schema; the bytes themselves decide. */
function base64Url(text: z.ZodString, what: string): z.ZodType<Uint8Array> {
  const said = { contentEncoding: 'base64url', description: `${what} as unpadded base64url` };
  return text.meta(said).transform((characters, context) => {
    const bytes = fromBase64Url(characters);
    if (bytes !== null) return bytes;
    context.addIssue('not unpadded base64url');
    return z.NEVER;
  });
}

/** A signed note, as the text that it is; parses to its bytes, at most `most`. */
export function noteOf(most: number): z.ZodType<Uint8Array> {
  return z
    .string()
    .max(most)
    .meta({ description: `A signed note of at most ${most} bytes` })
    .transform((text, context) => {
      const bytes = encodeUtf8(text);
      if (bytes !== null && bytes.length <= most) return bytes;
      context.addIssue('not the text of a note');
      return z.NEVER;
    });
}
