import { decodeCbor, deviceId, encodeCbor, idBytes } from '@keytide/crypto-core';
import { z } from 'zod';
import { ArchiveError } from '../errors.ts';
import type { ManifestSignature } from './signed-manifest.ts';

const VERSION = 1;
/** A larger file is none. */
export const MAX_APPROVAL_BYTES = 256;

/** A further admin's signature under a manifest as a file of its own: docs/spec/archive.md, "Approvals". Public. */
export function encodeApproval({ device, signature }: ManifestSignature): Uint8Array {
  return encodeCbor([VERSION, idBytes(device), signature]);
}

/** Reads such a file, checking nothing. @throws ArchiveError `malformed`, `unsupported-version` */
export function parseApproval(bytes: Uint8Array): ManifestSignature {
  const value = decoded(bytes);
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new ArchiveError('unsupported-version', 'an approval of a version that this build does not know');
  const fields = schema.safeParse(value).data;
  if (fields === undefined) throw malformed();
  return { device: deviceId(fields[1]), signature: fields[2] };
}

const bytesOf = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
const schema = z.tuple([z.literal(VERSION), bytesOf(32), bytesOf(64)]);

function decoded(bytes: Uint8Array): unknown {
  try {
    return decodeCbor(bytes, MAX_APPROVAL_BYTES);
  } catch {
    throw malformed();
  }
}

function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'not an approval of an archive');
}
