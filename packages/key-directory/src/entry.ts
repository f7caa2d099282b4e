import {
  compareBytes,
  decodeCbor,
  deviceId,
  encodeCbor,
  entryHash,
  idBytes,
  labelledHash,
  orgId,
  type DeviceId,
  type EntryHash,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { bodyFields, isEntryKind, parseBody } from './body-codec.ts';
import type { EntryBody } from './entry-body.ts';
import { DirectoryError, inDirectoryTerms } from './errors.ts';

/** The longest entry that is read: what the two length bytes of an entry bundle can tell. */
export const MAX_ENTRY_BYTES: number = 2 ** 16 - 1;

const VERSION = 1;
const ZEROS = new Uint8Array(32);
/** The largest time a JavaScript `Date` can hold. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/** What the author of an entry states and signs. */
export interface EntryFields {
  /** `null` in the genesis only, whose hash becomes the id. */
  readonly org: OrgId | null;
  /** Place in the log: 0 for the genesis. */
  readonly index: number;
  /** The entry before this one; `null` in the genesis only. */
  readonly previousHash: EntryHash | null;
  /** Milliseconds since 1970 by the author's clock, never before the previous entry's. */
  readonly timeMs: number;
  readonly author: DeviceId;
  readonly body: EntryBody;
}

/** A signature over an entry's bytes: 64 bytes. */
export interface EntrySignature {
  readonly device: DeviceId;
  readonly signature: Uint8Array;
}

/** An entry that was read but not yet judged: nothing in it is true until `replay` accepts it. */
export interface Entry extends EntryFields {
  /** The exact bytes that travelled; the leaf of the log's Merkle tree. */
  readonly wire: Uint8Array;
  /** The exact bytes that are signed. */
  readonly bytes: Uint8Array;
  readonly hash: EntryHash;
  /** By the author. */
  readonly signature: Uint8Array;
  /** By others over the same bytes, sorted by device. */
  readonly approvals: readonly EntrySignature[];
}

/** CBOR `[1, org, index, previous hash, time, author, kind, body]`: the bytes that are hashed and signed. */
export function encodeEntry(fields: EntryFields): Uint8Array {
  return encodeCbor([
    VERSION,
    fields.org === null ? ZEROS : idBytes(fields.org),
    fields.index,
    fields.previousHash === null ? ZEROS : idBytes(fields.previousHash),
    fields.timeMs,
    idBytes(fields.author),
    fields.body.kind,
    bodyFields(fields.body),
  ]);
}

/** CBOR `[entry bytes, [[device, signature], …]]`, the author's signature first: an entry as it travels. */
export function encodeEntryWire(bytes: Uint8Array, signatures: readonly EntrySignature[]): Uint8Array {
  return encodeCbor([bytes, signatures.map(({ device, signature }) => [idBytes(device), signature])]);
}

/**
 * Reads an entry without judging it: signatures, rights and its place in the log are for `replay`.
 * @throws DirectoryError `malformed`, `too-large`, `unsupported-version`
 */
export function parseEntry(primitives: Primitives, wire: Uint8Array): Entry {
  return inDirectoryTerms(() => {
    const outer = wireSchema.safeParse(decodeCbor(wire, MAX_ENTRY_BYTES)).data;
    if (outer === undefined) throw malformed();
    const [bytes, [first, ...approvals]] = outer;
    const fields = parseFields(bytes);
    if (first.device !== fields.author) throw malformed();
    if (!isSorted(approvals) || approvals.some(({ device }) => device === fields.author)) throw malformed();
    const hash = entryHash(labelledHash(primitives, 'entry', bytes));
    return { ...fields, wire, bytes, hash, signature: first.signature, approvals };
  });
}

const bytesSchema = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const bytes32 = bytesSchema.refine((value) => value.length === 32);
const signatureSchema = z
  .tuple([bytes32, bytesSchema.refine((value) => value.length === 64)])
  .transform(([device, signature]): EntrySignature => ({ device: deviceId(device), signature }));
const wireSchema = z.tuple([bytesSchema, z.tuple([signatureSchema], signatureSchema)]);
const fieldsSchema = z.tuple([
  z.literal(VERSION),
  bytes32,
  z.int().min(0),
  bytes32,
  z.int().min(0).max(MAX_TIME_MS),
  bytes32,
  z.string(),
  z.custom<readonly never[]>(Array.isArray),
]);

function parseFields(bytes: Uint8Array): EntryFields {
  const value = decodeCbor(bytes, MAX_ENTRY_BYTES);
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'an entry of a version that this build does not know');
  const fields = fieldsSchema.safeParse(value).data;
  if (fields === undefined) throw malformed();
  const [, org, index, previousHash, timeMs, author, kind, rest] = fields;
  if (!isEntryKind(kind))
    throw new DirectoryError('unsupported-version', 'an entry of a kind that this build does not know');
  const body = parseBody(kind, rest);
  if (body === null) throw malformed();

  const isFirst = index === 0;
  const namesNothing = compareBytes(org, ZEROS) === 0 && compareBytes(previousHash, ZEROS) === 0;
  if ((kind === 'genesis') !== isFirst || (isFirst && !namesNothing)) throw malformed();
  return {
    org: isFirst ? null : orgId(org),
    index,
    previousHash: isFirst ? null : entryHash(previousHash),
    timeMs,
    author: deviceId(author),
    body,
  };
}

function isSorted(approvals: readonly EntrySignature[]): boolean {
  return approvals.every(({ device }, i) => i === 0 || (approvals[i - 1] as EntrySignature).device < device);
}

function malformed(): DirectoryError {
  return new DirectoryError('malformed', 'not an entry of the membership log');
}
