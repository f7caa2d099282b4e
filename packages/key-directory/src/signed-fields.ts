import {
  decodeCbor,
  encodeCbor,
  signBytes,
  verifyBytes,
  type CborValue,
  type Label,
  type Primitives,
  type Signer,
  type Verifier,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError } from './errors.ts';

/** The version of what is signed in this form. */
const VERSION = 1;

/** The fields of something short that one key signs. */
export interface SignedFields<T> {
  readonly fields: T;
  /** @throws CryptoError `bad-signature` */
  verify(primitives: Primitives, verifier: Verifier, label: Label): void;
}

/** Fields as they travel when one key has signed them: CBOR `[bytes, signature]`, bytes = CBOR `[1, ...fields]`. */
export function signFields(
  primitives: Primitives,
  signer: Signer,
  label: Label,
  fields: readonly CborValue[],
): Uint8Array {
  const bytes = encodeCbor([VERSION, ...fields]);
  return encodeCbor([bytes, signBytes(primitives, signer, label, bytes)]);
}

/**
 * Reads them WITHOUT checking who signed.
 * @throws DirectoryError `malformed`, `unsupported-version`; CryptoError `malformed`, `too-large`
 */
export function readFields<T>(wire: Uint8Array, maxBytes: number, schema: z.ZodType<T>): SignedFields<T> {
  const [bytes, signature] = checked(wireSchema, decodeCbor(wire, maxBytes));
  const value = decodeCbor(bytes, maxBytes);
  if (!Array.isArray(value)) throw malformed();
  const [version, ...fields] = value as readonly CborValue[];
  if (typeof version === 'number' && version !== VERSION)
    throw new DirectoryError('unsupported-version', 'of a version that this build does not know');
  if (version !== VERSION) throw malformed();
  return {
    fields: checked(schema, fields),
    verify: (primitives, verifier, label) => verifyBytes(primitives, verifier, label, bytes, signature),
  };
}

/** Bytes of one length. */
export function bytesOf(sizeBytes: number): z.ZodType<Uint8Array> {
  return z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
}

const wireSchema = z.tuple([z.custom<Uint8Array>((value) => value instanceof Uint8Array), bytesOf(64)]);

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw malformed();
  return result.data;
}

function malformed(): DirectoryError {
  return new DirectoryError('malformed', 'not the signed fields that it is to be');
}
