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
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError, inDirectoryTerms } from './errors.ts';
import { isActive, type DirectoryState } from './state.ts';

/** The longest statement that is read. */
const MAX_STATEMENT_BYTES = 512;
const VERSION = 1;

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
  const bytes = encodeCbor([
    VERSION,
    idBytes(org),
    idBytes(group),
    throughSeq,
    root,
    idBytes(device),
    exportedMs,
  ]);
  return encodeCbor([bytes, signBytes(primitives, signer, 'exportStatementSignature', bytes)]);
}

/**
 * Checks that a device of an admin or exporter says it, as the log has them now.
 * @throws DirectoryError `malformed`, `too-large`, `unsupported-version`, `wrong-organisation`, `unknown-group`,
 *   `unknown-device`, `not-permitted`, `bad-signature`
 */
export function verifyExportStatement(
  primitives: Primitives,
  state: DirectoryState,
  wire: Uint8Array,
): ExportStatement {
  return inDirectoryTerms(() => {
    const [bytes, signature] = checked(wireSchema, decodeCbor(wire, MAX_STATEMENT_BYTES));
    const statement = parseBytes(bytes);
    if (statement.org !== state.org)
      throw new DirectoryError('wrong-organisation', 'an export of another organisation');
    if (statement.group !== state.everyone) throw new DirectoryError('unknown-group', 'no such group');
    const device = state.devices.get(statement.device);
    if (device === undefined) throw new DirectoryError('unknown-device', 'no such device');
    const role = state.members.get(device.member)?.role;
    if (!isActive(state, device.id) || (role !== 'admin' && role !== 'exporter'))
      throw new DirectoryError('not-permitted', 'neither an admin nor an exporter');
    const verifier = primitives.verifier(device.signingPublicKey);
    verifyBytes(primitives, verifier, 'exportStatementSignature', bytes, signature);
    return statement;
  });
}

const bytesOf = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
const wireSchema = z.tuple([z.custom<Uint8Array>((value) => value instanceof Uint8Array), bytesOf(64)]);
const fieldsSchema = z.tuple([
  z.literal(VERSION),
  bytesOf(32),
  bytesOf(32),
  z.int().min(1),
  bytesOf(32),
  bytesOf(32),
  z.int().min(0),
]);

function parseBytes(bytes: Uint8Array): ExportStatement {
  const value = decodeCbor(bytes, MAX_STATEMENT_BYTES);
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'a statement of a version that this build does not know');
  const [, org, group, throughSeq, root, device, exportedMs] = checked(fieldsSchema, value);
  return { org: orgId(org), group: groupId(group), throughSeq, root, device: deviceId(device), exportedMs };
}

function checked<T>(schema: z.ZodType<T>, value: CborValue): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new DirectoryError('malformed', 'not the statement of an export');
  return result.data;
}
