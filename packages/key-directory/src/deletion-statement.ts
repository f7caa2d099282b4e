import {
  decodeCbor,
  encodeCbor,
  equalBytes,
  groupId,
  idBytes,
  signBytes,
  verifyBytes,
  type CborValue,
  type GroupId,
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError, inDirectoryTerms } from './errors.ts';

/** The longest statement that is read. */
const MAX_STATEMENT_BYTES = 512;
const VERSION = 1;

/** What a relay says that it has forgotten of a group's log: docs/spec/release.md. Public. */
export interface DeletionStatement {
  readonly org: OrgId;
  readonly group: GroupId;
  /** The first and the last seq, both included. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The log's root after the last, 32 bytes. */
  readonly root: Uint8Array;
  /** By the relay's clock, milliseconds since 1970. */
  readonly deletedMs: number;
}

/** A statement as it travels: CBOR `[bytes, signature]`. `signer` has the relay's key. */
export function createDeletionStatement(
  primitives: Primitives,
  signer: Signer,
  { org, group, firstSeq, lastSeq, root, deletedMs }: DeletionStatement,
): Uint8Array {
  const bytes = encodeCbor([VERSION, idBytes(org), idBytes(group), firstSeq, lastSeq, root, deletedMs]);
  return encodeCbor([bytes, signBytes(primitives, signer, 'deletionStatementSignature', bytes)]);
}

/**
 * Checks that the relay with this key (Ed25519, 32 bytes) says it of this organisation.
 * @throws DirectoryError `malformed`, `too-large`, `bad-signature`, `wrong-organisation`
 */
export function verifyDeletionStatement(
  primitives: Primitives,
  { org, relayKey }: { readonly org: OrgId; readonly relayKey: Uint8Array },
  wire: Uint8Array,
): DeletionStatement {
  return inDirectoryTerms(() => {
    const [bytes, signature] = checked(wireSchema, decodeCbor(wire, MAX_STATEMENT_BYTES));
    verifyBytes(primitives, primitives.verifier(relayKey), 'deletionStatementSignature', bytes, signature);
    const [, of, group, firstSeq, lastSeq, root, deletedMs] = checked(
      fieldsSchema,
      decodeCbor(bytes, MAX_STATEMENT_BYTES),
    );
    if (!equalBytes(of, idBytes(org)))
      throw new DirectoryError('wrong-organisation', 'a deletion of another organisation');
    return { org, group: groupId(group), firstSeq, lastSeq, root, deletedMs };
  });
}

const bytesOf = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
const wireSchema = z.tuple([z.custom<Uint8Array>((value) => value instanceof Uint8Array), bytesOf(64)]);
const seq = z.int().min(1);
const fieldsSchema = z
  .tuple([z.literal(VERSION), bytesOf(32), bytesOf(32), seq, seq, bytesOf(32), z.int().min(0)])
  .refine(([, , , first, last]) => first <= last);

function checked<T>(schema: z.ZodType<T>, value: CborValue): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new DirectoryError('malformed', 'not the statement of a deletion');
  return result.data;
}
