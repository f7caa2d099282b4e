import {
  decodeCbor,
  deviceId,
  encodeCbor,
  idBytes,
  labelledHash,
  memberId,
  uint64Bytes,
  type DeviceId,
  type MemberId,
  type Primitives,
  type SealingRecord,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError, inDirectoryTerms } from '../errors.ts';
import { ROLES, type Role } from '../role.ts';

/** The longest head of a member or device that is read. */
const MAX_HEAD_BYTES = 4 * 1024;
/** The longest head of an organisation that is read: 1,200 admins. */
const MAX_ORGANISATION_HEAD_BYTES = 20 * 1024;
const VERSION = 1;

/** What a lookup says of a device: whose it is, what it may do, and which keys are its current ones. */
export interface DeviceHead {
  readonly member: MemberId;
  /** The member's role; `null` once the device is not active. */
  readonly role: Role | null;
  /** Bit mask of docs/spec/keys-and-sealing.md. */
  readonly abilities: number;
  /** `sealingHash` of the current sealing key: 32 bytes. The signing key is bound by the device id. */
  readonly sealing: Uint8Array;
  /** Indexes of entries. */
  readonly addedAt: number;
  readonly revokedAt: number | null;
  readonly wipedAt: number | null;
  /** The newest entry that changed this head. */
  readonly since: number;
}

/** What a lookup says of a member. */
export interface MemberHead {
  readonly handle: string;
  /** `null` once the member is removed. */
  readonly role: Role | null;
  /** The active devices, in the order in which they were added. */
  readonly devices: readonly DeviceId[];
  readonly addedAt: number;
  readonly removedAt: number | null;
  /** The newest entry that changed this head, or one of the member's devices. */
  readonly since: number;
}

/** What a lookup says of the organisation as a whole: which policy is in force, how large it is, and who may speak for it. */
export interface OrganisationHead {
  /** The entry that set the present policy; 0 for the genesis. */
  readonly policyAt: number;
  /** How many devices are active. */
  readonly activeDevices: number;
  /** The members who could sign as admin: admins with an active device, in byte order of their ids. */
  readonly admins: readonly MemberId[];
  /** The newest entry that changed this head. */
  readonly since: number;
}

/** h(sealing-record, device [32] ‖ u64 start ‖ u64 end ‖ sealing key [1216]): 32 bytes. */
export function sealingHash(primitives: Primitives, record: SealingRecord): Uint8Array {
  const { device, notBeforeMs, notAfterMs, publicKey } = record;
  const times = [uint64Bytes(notBeforeMs), uint64Bytes(notAfterMs)] as const;
  return labelledHash(primitives, 'sealingRecord', idBytes(device), ...times, publicKey);
}

/** CBOR `[1, member, role, abilities, sealing, added, revoked, wiped, since]`. */
export function encodeDeviceHead(head: DeviceHead): Uint8Array {
  const { member, role, abilities, sealing, addedAt, revokedAt, wipedAt, since } = head;
  return encodeCbor([VERSION, idBytes(member), role, abilities, sealing, addedAt, revokedAt, wipedAt, since]);
}

/** CBOR `[1, handle, role, [device, …], added, removed, since]`. */
export function encodeMemberHead(head: MemberHead): Uint8Array {
  const { handle, role, devices, addedAt, removedAt, since } = head;
  return encodeCbor([VERSION, handle, role, devices.map(idBytes), addedAt, removedAt, since]);
}

/** CBOR `[1, policy at, active devices, [admin, …], since]`. */
export function encodeOrganisationHead(head: OrganisationHead): Uint8Array {
  const { policyAt, activeDevices, admins, since } = head;
  return encodeCbor([VERSION, policyAt, activeDevices, admins.map(idBytes), since]);
}

const bytes = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
const index = z.int().min(0);
const role = z.enum(ROLES).nullable();
const deviceSchema = z.tuple([
  z.literal(VERSION),
  bytes(16).transform(memberId),
  role,
  z.int().min(0),
  bytes(32),
  index,
  index.nullable(),
  index.nullable(),
  index,
]);
const memberSchema = z.tuple([
  z.literal(VERSION),
  z.string(),
  role,
  z.array(bytes(32).transform(deviceId)),
  index,
  index.nullable(),
  index,
]);
const organisationSchema = z.tuple([
  z.literal(VERSION),
  index,
  z.int().min(1),
  z.array(bytes(16).transform(memberId)).min(1).refine(isSorted),
  index,
]);

/** Reads what `verifyLookup` answered for a device. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseDeviceHead(leaf: Uint8Array): DeviceHead {
  const [, member, given, abilities, sealing, addedAt, revokedAt, wipedAt, since] = read(deviceSchema, leaf);
  return { member, role: given, abilities, sealing, addedAt, revokedAt, wipedAt, since };
}

/** Reads what `verifyLookup` answered for a member. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseMemberHead(leaf: Uint8Array): MemberHead {
  const [, handle, given, devices, addedAt, removedAt, since] = read(memberSchema, leaf);
  return { handle, role: given, devices, addedAt, removedAt, since };
}

/** Reads what `verifyLookup` answered for `organisationKey`. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseOrganisationHead(leaf: Uint8Array): OrganisationHead {
  const fields = read(organisationSchema, leaf, MAX_ORGANISATION_HEAD_BYTES);
  const [, policyAt, activeDevices, admins, since] = fields;
  return { policyAt, activeDevices, admins, since };
}

/** Ids are hexadecimal, so the order of the texts is that of the bytes. */
function isSorted(ids: readonly MemberId[]): boolean {
  return ids.every((id, i) => i === 0 || (ids[i - 1] as MemberId) < id);
}

function read<T>(schema: z.ZodType<T>, leaf: Uint8Array, maxBytes: number = MAX_HEAD_BYTES): T {
  const value = inDirectoryTerms(() => decodeCbor(leaf, maxBytes));
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'a head of a version that this build does not know');
  const fields = schema.safeParse(value).data;
  if (fields === undefined) throw new DirectoryError('malformed', 'not a head of the map');
  return fields;
}
