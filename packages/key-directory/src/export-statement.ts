import {
  deviceId,
  groupId,
  idBytes,
  orgId,
  type DeviceId,
  type GroupId,
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError, inDirectoryTerms } from './errors.ts';
import { bytesOf, readFields, signFields } from './signed-fields.ts';
import { isActive, type DirectoryState } from './state.ts';

/** The longest statement that is read. */
const MAX_STATEMENT_BYTES = 512;

/** What a device says that it has exported of a group's log: docs/spec/release.md. Public. */
export interface ExportStatement {
  readonly org: OrgId;
  readonly group: GroupId;
  /** Everything up to this seq. */
  readonly throughSeq: number;
  /** The log's root after it, 32 bytes: which log it was. */
  readonly root: Uint8Array;
  readonly device: DeviceId;
  /** By the device's own clock, milliseconds since 1970. */
  readonly exportedMs: number;
}

/** A statement as it travels: CBOR `[bytes, signature]`. `signer` is that of `device`. */
export function createExportStatement(
  primitives: Primitives,
  signer: Signer,
  { org, group, throughSeq, root, device, exportedMs }: ExportStatement,
): Uint8Array {
  const fields = [idBytes(org), idBytes(group), throughSeq, root, idBytes(device), exportedMs];
  return signFields(primitives, signer, 'exportStatementSignature', fields);
}

/** Reads a statement WITHOUT checking who signed it. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseExportStatement(wire: Uint8Array): ExportStatement {
  return inDirectoryTerms(() => statementIn(read(wire).fields));
}

/**
 * Checks that a device of an admin or exporter says it, as the log has them now.
 * @throws DirectoryError as `parseExportStatement`; `wrong-organisation`, `unknown-group`, `unknown-device`,
 *   `not-permitted`, `bad-signature`
 */
export function verifyExportStatement(
  primitives: Primitives,
  state: DirectoryState,
  wire: Uint8Array,
): ExportStatement {
  return inDirectoryTerms(() => {
    const { fields, verify } = read(wire);
    const statement = statementIn(fields);
    if (statement.org !== state.org)
      throw new DirectoryError('wrong-organisation', 'an export of another organisation');
    if (statement.group !== state.everyone) throw new DirectoryError('unknown-group', 'no such group');
    const device = state.devices.get(statement.device);
    if (device === undefined) throw new DirectoryError('unknown-device', 'no such device');
    const role = state.members.get(device.member)?.role;
    if (!isActive(state, device.id) || (role !== 'admin' && role !== 'exporter'))
      throw new DirectoryError('not-permitted', 'neither an admin nor an exporter');
    verify(primitives, primitives.verifier(device.signingPublicKey), 'exportStatementSignature');
    return statement;
  });
}

const fieldsSchema = z.tuple([
  bytesOf(32),
  bytesOf(32),
  z.int().min(1),
  bytesOf(32),
  bytesOf(32),
  z.int().min(0),
]);

function read(wire: Uint8Array) {
  return readFields(wire, MAX_STATEMENT_BYTES, fieldsSchema);
}

function statementIn([org, group, throughSeq, root, device, exportedMs]: z.infer<
  typeof fieldsSchema
>): ExportStatement {
  return { org: orgId(org), group: groupId(group), throughSeq, root, device: deviceId(device), exportedMs };
}
