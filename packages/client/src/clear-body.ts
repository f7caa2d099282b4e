import { CryptoError, decodeCbor, encodeCbor, type CborValue } from '@keytide/crypto-core';
import { LIMITS } from '@keytide/relay-protocol';
import type { z } from 'zod';
import { holdsAttachment } from './attachment-ref.ts';
import { accepted, invalidValue, type Body } from './body.ts';
import { ClientError } from './errors.ts';

/**
 * The CBOR of a body that the relay may read, if it fits the schema of its collection.
 * @throws ClientError `invalid-value`, `too-large`
 */
export function encodeClearBody<T extends Body>(
  collection: string,
  schema: z.ZodType<T>,
  body: T,
): Uint8Array {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw invalidValue(collection, parsed.error);
  if (holdsAttachment(parsed.data))
    throw new ClientError(
      'invalid-value',
      `${collection}: an attachment belongs into a sensitive collection`,
    );
  let bytes: Uint8Array;
  try {
    bytes = encodeCbor(parsed.data as CborValue);
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    throw new ClientError('invalid-value', `${collection}: a value that cannot be written`, { cause });
  }
  if (bytes.length > LIMITS.documentBytes)
    throw new ClientError('too-large', `${collection}: at most ${LIMITS.documentBytes} bytes`);
  return bytes;
}

/** What somebody else wrote, if it is a body that fits; `null` otherwise. */
export function decodeClearBody<T extends Body>(schema: z.ZodType<T>, bytes: Uint8Array): T | null {
  let value: CborValue;
  try {
    value = decodeCbor(bytes, LIMITS.documentBytes);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    return null;
  return accepted(schema, value as Body);
}
