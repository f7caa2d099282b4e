import {
  groupId,
  idBytes,
  orgId,
  type GroupId,
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError, inDirectoryTerms } from './errors.ts';
import { bytesOf, readFields, signFields } from './signed-fields.ts';

/** The longest statement that is read. */
const MAX_STATEMENT_BYTES = 512;

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

/** A statement as it travels: CBOR `[bytes, signature]`. `signer` has the relay's key: nobody else says it. */
export function signDeletionStatement(
  primitives: Primitives,
  signer: Signer,
  { org, group, firstSeq, lastSeq, root, deletedMs }: DeletionStatement,
): Uint8Array {
  const fields = [idBytes(org), idBytes(group), firstSeq, lastSeq, root, deletedMs];
  return signFields(primitives, signer, 'deletionStatementSignature', fields);
}

/** Reads a statement WITHOUT checking who signed it. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseDeletionStatement(wire: Uint8Array): DeletionStatement {
  return inDirectoryTerms(() => statementIn(read(wire).fields));
}

/**
 * Checks that the relay with this key (Ed25519, 32 bytes) says it of this organisation.
 * @throws DirectoryError as `parseDeletionStatement`; `bad-signature`, `wrong-organisation`
 */
export function verifyDeletionStatement(
  primitives: Primitives,
  { org, relayKey }: { readonly org: OrgId; readonly relayKey: Uint8Array },
  wire: Uint8Array,
): DeletionStatement {
  return inDirectoryTerms(() => {
    const { fields, verify } = read(wire);
    const statement = statementIn(fields);
    verify(primitives, primitives.verifier(relayKey), 'deletionStatementSignature');
    if (statement.org !== org)
      throw new DirectoryError('wrong-organisation', 'a deletion of another organisation');
    return statement;
  });
}

const seq = z.int().min(1);
const fieldsSchema = z
  .tuple([bytesOf(32), bytesOf(32), seq, seq, bytesOf(32), z.int().min(0)])
  .refine(([, , first, last]) => first <= last);

function read(wire: Uint8Array) {
  return readFields(wire, MAX_STATEMENT_BYTES, fieldsSchema);
}

function statementIn([org, group, firstSeq, lastSeq, root, deletedMs]: z.infer<
  typeof fieldsSchema
>): DeletionStatement {
  return { org: orgId(org), group: groupId(group), firstSeq, lastSeq, root, deletedMs };
}
