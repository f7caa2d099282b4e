import { decodeCbor, deviceId, encodeCbor, idBytes } from '@keytide/crypto-core';
import { z } from 'zod';
import type { EntrySignature } from './entry.ts';
import { DirectoryError, inDirectoryTerms } from './errors.ts';

const VERSION = 1;
/** The longest true one has 103 bytes. */
const MAX_APPROVAL_BYTES = 128;

const bytes = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
const schema = z.tuple([z.literal(VERSION), bytes(32), bytes(64)]);

/** CBOR `[1, device [32], signature [64]]`: an approval on its way to whoever submits the proposal. Public. */
export function encodeApproval({ device, signature }: EntrySignature): Uint8Array {
  return encodeCbor([VERSION, idBytes(device), signature]);
}

/** Reads an approval; whether it fits a proposal, `withApprovals` says. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseApproval(wire: Uint8Array): EntrySignature {
  const value = inDirectoryTerms(() => decodeCbor(wire, MAX_APPROVAL_BYTES));
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'an approval of a version that this build does not know');
  const fields = schema.safeParse(value).data;
  if (fields === undefined) throw new DirectoryError('malformed', 'not an approval');
  const [, device, signature] = fields;
  return { device: deviceId(device), signature };
}
