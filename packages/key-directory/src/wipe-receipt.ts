import {
  decodeCbor,
  deviceId,
  encodeCbor,
  equalBytes,
  idBytes,
  orgId,
  signBytes,
  verifyBytes,
  type CborValue,
  type DeviceId,
  type EntryHash,
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { parseEntry } from './entry.ts';
import { DirectoryError, inDirectoryTerms } from './errors.ts';
import type { Device } from './state.ts';

/** The longest receipt that is read. */
const MAX_RECEIPT_BYTES = 256;
const VERSION = 1;

/** What a device says of itself once it has destroyed what it held: docs/spec/wipe.md. Public. */
export interface WipeReceipt {
  readonly org: OrgId;
  readonly device: DeviceId;
  /** The entry of the membership log that ordered it. */
  readonly order: number;
  /** Hash of that entry, 32 bytes. */
  readonly orderHash: Uint8Array;
  /** By the device's own clock, milliseconds since 1970. */
  readonly destroyedMs: number;
}

/** The order that a receipt has to be about. */
export interface WipeOrder {
  readonly org: OrgId;
  readonly device: Pick<Device, 'id' | 'signingPublicKey' | 'wipedAt'>;
  /** The entry at `device.wipedAt`, as it travelled, from a log that was replayed. */
  readonly wire: Uint8Array;
}

/** A device's receipt as it travels: CBOR `[bytes, signature]`. `orderHash` is that of the entry `wire`. */
export function createWipeReceipt(
  primitives: Primitives,
  signer: Signer,
  receipt: Omit<WipeReceipt, 'orderHash'> & { readonly wire: Uint8Array },
): Uint8Array {
  const bytes = encodeCbor([
    VERSION,
    idBytes(receipt.org),
    idBytes(receipt.device),
    receipt.order,
    hashOf(primitives, receipt.wire),
    receipt.destroyedMs,
  ]);
  return encodeCbor([bytes, signBytes(primitives, signer, 'wipeReceiptSignature', bytes)]);
}

/** Reads a receipt WITHOUT checking who signed it. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseWipeReceipt(wire: Uint8Array): WipeReceipt {
  return inDirectoryTerms(() => parseBytes(split(wire)[0]));
}

/**
 * Checks that the device itself says that it carried out the order which the log has for it.
 * @throws DirectoryError as `parseWipeReceipt`; `bad-signature`, `wrong-organisation`, `unknown-device` (another
 *   device's), `bad-proof` (of another order, or of none)
 */
export function verifyWipeReceipt(
  primitives: Primitives,
  { org, device, wire }: WipeOrder,
  received: Uint8Array,
): WipeReceipt {
  return inDirectoryTerms(() => {
    const [bytes, signature] = split(received);
    const receipt = parseBytes(bytes);
    if (receipt.org !== org)
      throw new DirectoryError('wrong-organisation', 'a receipt of another organisation');
    if (receipt.device !== device.id)
      throw new DirectoryError('unknown-device', 'a receipt of another device');
    verifyBytes(
      primitives,
      primitives.verifier(device.signingPublicKey),
      'wipeReceiptSignature',
      bytes,
      signature,
    );
    if (receipt.order !== device.wipedAt || !equalBytes(receipt.orderHash, hashOf(primitives, wire)))
      throw new DirectoryError('bad-proof', 'a receipt of another order');
    return receipt;
  });
}

const bytesOf = (sizeBytes: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes);
const place = z.int().min(0);
const wireSchema = z.tuple([z.custom<Uint8Array>((value) => value instanceof Uint8Array), bytesOf(64)]);
const fieldsSchema = z.tuple([z.literal(VERSION), bytesOf(32), bytesOf(32), place, bytesOf(32), place]);

function split(wire: Uint8Array): [bytes: Uint8Array, signature: Uint8Array] {
  return checked(wireSchema, decodeCbor(wire, MAX_RECEIPT_BYTES));
}

function parseBytes(bytes: Uint8Array): WipeReceipt {
  const value = decodeCbor(bytes, MAX_RECEIPT_BYTES);
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'a receipt of a version that this build does not know');
  const [, org, device, order, orderHash, destroyedMs] = checked(fieldsSchema, value);
  return { org: orgId(org), device: deviceId(device), order, orderHash, destroyedMs };
}

function checked<T>(schema: z.ZodType<T>, value: CborValue): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new DirectoryError('malformed', 'not the receipt of a wipe');
  return result.data;
}

function hashOf(primitives: Primitives, wire: Uint8Array): Uint8Array {
  const hash: EntryHash = parseEntry(primitives, wire).hash;
  return idBytes(hash);
}
