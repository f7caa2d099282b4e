import {
  decodeCbor,
  deviceId,
  encodeCbor,
  groupId,
  idBytes,
  orgId,
  signBytes,
  verifyBytes,
  type CborValue,
  type DeviceId,
  type GroupId,
  type MerkleFrontier,
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { ArchiveError } from '../errors.ts';
import type { ArchiveFilter } from './filter.ts';

/** What an archive has of one group's log. */
export interface ArchivedGroup {
  readonly group: GroupId;
  /** The log's tree before the first entry: its size is `firstSeq - 1`. */
  readonly before: MerkleFrontier;
  readonly throughSeq: number;
  /** The log's RFC 9162 root after `throughSeq`, 32 bytes. */
  readonly root: Uint8Array;
  readonly messages: number;
  /** Of the messages, those that count for nothing by the application's rules. */
  readonly invalid: number;
  readonly unreadable: number;
  /** What the filter left out. */
  readonly skipped: number;
}

/** What an archive is, by the word of who made it: docs/spec/archive.md, "The signed manifest". Public. */
export interface ArchiveManifest {
  readonly org: OrgId;
  /** 16 bytes, random. */
  readonly id: Uint8Array;
  /** By the exporter's clock, milliseconds since 1970. */
  readonly createdMs: number;
  readonly device: DeviceId;
  /** SHA-256 of the bytes of the archive that this one goes on from, 32 bytes. */
  readonly previous: Uint8Array | null;
  /** SHA-256 of `manifest-sha256.txt`, 32 bytes. */
  readonly manifestHash: Uint8Array;
  readonly membership: { readonly size: number; readonly root: Uint8Array };
  readonly groups: readonly ArchivedGroup[];
  readonly filter: ArchiveFilter | null;
  /** Of what is below `data/`. */
  readonly files: { readonly count: number; readonly sizeBytes: number };
  /** To whom it is sealed: the names of their keys, as epoch statements name the archive's. */
  readonly recipients: readonly DeviceId[];
}

/** A device's name under a manifest. */
export interface ManifestSignature {
  readonly device: DeviceId;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A manifest as it was read, and who has signed it: nothing of it is checked. */
export interface SignedManifest {
  /** What is signed, and what the next archive names. */
  readonly bytes: Uint8Array;
  readonly manifest: ArchiveManifest;
  readonly signatures: readonly ManifestSignature[];
}

const VERSION = 1;
/** Of the signed manifest as a file. */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024;
const MAX_SIGNATURES = 64;
const MAX_RECIPIENTS = 1_000;
const HASH_BYTES = 32;

/** The bytes that are signed. */
export function encodeManifest(manifest: ArchiveManifest): Uint8Array {
  const {
    org,
    id,
    createdMs,
    device,
    previous,
    manifestHash,
    membership,
    groups,
    filter,
    files,
    recipients,
  } = manifest;
  return encodeCbor([
    ...[VERSION, idBytes(org), id, createdMs, idBytes(device), previous, manifestHash],
    [membership.size, membership.root],
    groups.map(({ group, before, throughSeq, root, messages, invalid, unreadable, skipped }) => [
      ...[idBytes(group), before.size + 1, before.hashes, throughSeq, root],
      ...[messages, invalid, unreadable, skipped],
    ]),
    filter === null ? null : JSON.stringify(filter),
    [files.count, files.sizeBytes],
    recipients.map(idBytes),
  ] as CborValue);
}

/** One device's signature under a manifest's bytes. */
export function signManifest(primitives: Primitives, signer: Signer, bytes: Uint8Array): Uint8Array {
  return signBytes(primitives, signer, 'archiveManifestSignature', bytes);
}

/** Whether the signature is by this key (Ed25519, 32 bytes). @throws CryptoError `bad-signature`, `bad-key` */
export function verifyManifestSignature(
  primitives: Primitives,
  publicKey: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
): void {
  verifyBytes(primitives, primitives.verifier(publicKey), 'archiveManifestSignature', bytes, signature);
}

/** The file `signed-manifest`. */
export function encodeSignedManifest(
  bytes: Uint8Array,
  signatures: readonly ManifestSignature[],
): Uint8Array {
  return encodeCbor([bytes, signatures.map(({ device, signature }) => [idBytes(device), signature])]);
}

/**
 * Reads `signed-manifest` WITHOUT checking anybody's signature.
 * @throws ArchiveError `malformed`, `unsupported-version`
 */
export function parseSignedManifest(file: Uint8Array): SignedManifest {
  const [bytes, signed] = checked(fileSchema, decoded(file));
  const value = decoded(bytes);
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new ArchiveError('unsupported-version', 'an archive of a version that this build does not know');
  const [
    ,
    org,
    id,
    createdMs,
    device,
    previous,
    manifestHash,
    membership,
    groups,
    filter,
    files,
    recipients,
  ] = checked(manifestSchema, value);
  return {
    bytes,
    manifest: {
      ...{ org: orgId(org), id, createdMs, device: deviceId(device), previous, manifestHash },
      membership: { size: membership[0], root: membership[1] },
      groups: groups.map(groupFrom),
      filter: filter === null ? null : filterFrom(filter),
      files: { count: files[0], sizeBytes: files[1] },
      recipients: recipients.map(deviceId),
    },
    signatures: signed.map(([by, signature]) => ({ device: deviceId(by), signature })),
  };
}

const bytesOf = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
const hash = bytesOf(HASH_BYTES);
const count = z.int().min(0);
/** The last that a date can be, in milliseconds since 1970. */
export const MAX_DATE_MS = 8_640_000_000_000_000;
const fileSchema = z.tuple([
  z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  z
    .array(z.tuple([bytesOf(32), bytesOf(64)]))
    .min(1)
    .max(MAX_SIGNATURES),
]);
const groupSchema = z.tuple([
  hash,
  z.int().min(1),
  z.array(hash).max(53),
  count,
  hash,
  count,
  count,
  count,
  count,
]);
const manifestSchema = z.tuple([
  ...[z.literal(VERSION), hash, bytesOf(16), count.max(MAX_DATE_MS), hash, hash.nullable(), hash],
  ...[z.tuple([z.int().min(1), hash]), z.array(groupSchema).max(10_000), z.string().nullable()],
  ...[z.tuple([count, count]), z.array(hash).min(1).max(MAX_RECIPIENTS)],
] as const);
const hexadecimal = (digits: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const filterSchema = z.strictObject({
  members: z.array(hexadecimal(32)).exactOptional(),
  collections: z.array(z.string()).exactOptional(),
  fromMs: count.exactOptional(),
  toMs: count.exactOptional(),
});

function groupFrom(fields: z.infer<typeof groupSchema>): ArchivedGroup {
  const [group, firstSeq, hashes, throughSeq, root, messages, invalid, unreadable, skipped] = fields;
  if (hashes.length !== onesIn(firstSeq - 1) || throughSeq < firstSeq - 1) throw malformed();
  return {
    ...{ group: groupId(group), before: { size: firstSeq - 1, hashes } },
    ...{ throughSeq, root, messages, invalid, unreadable, skipped },
  };
}

/** A filter as a manifest has it, with its members in their order. @throws ArchiveError `malformed` */
export function checkedFilter(filter: ArchiveFilter): ArchiveFilter {
  const result = filterSchema.safeParse(filter);
  if (!result.success) throw new ArchiveError('malformed', 'a filter that is none');
  return result.data;
}

function filterFrom(text: string): ArchiveFilter {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed();
  }
  const filter = checkedFilter(value as ArchiveFilter);
  if (JSON.stringify(filter) !== text) throw malformed();
  return filter;
}

/** How many perfect subtrees a tree of this size has. */
function onesIn(size: number): number {
  let ones = 0;
  for (let left = size; left > 0; left = Math.floor(left / 2)) ones += left % 2;
  return ones;
}

function decoded(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes, MAX_MANIFEST_BYTES);
  } catch {
    throw malformed();
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw malformed();
  return result.data;
}

function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'not a signed manifest');
}
