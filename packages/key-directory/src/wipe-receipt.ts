import {
  deviceId,
  equalBytes,
  idBytes,
  orgId,
  type DeviceId,
  type EntryHash,
  type OrgId,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { parseEntry } from './entry.ts';
import { DirectoryError, inDirectoryTerms } from './errors.ts';
import { bytesOf, readFields, signFields } from './signed-fields.ts';
import type { Device } from './state.ts';

/** The longest receipt that is read. */
const MAX_RECEIPT_BYTES = 256;

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
  const { org, device, order, wire, destroyedMs } = receipt;
  const fields = [idBytes(org), idBytes(device), order, hashOf(primitives, wire), destroyedMs];
  return signFields(primitives, signer, 'wipeReceiptSignature', fields);
}

/** Reads a receipt WITHOUT checking who signed it. @throws DirectoryError `malformed`, `too-large`, `unsupported-version` */
export function parseWipeReceipt(wire: Uint8Array): WipeReceipt {
  return inDirectoryTerms(() => receiptIn(read(wire).fields));
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
    const { fields, verify } = read(received);
    const receipt = receiptIn(fields);
    if (receipt.org !== org)
      throw new DirectoryError('wrong-organisation', 'a receipt of another organisation');
    if (receipt.device !== device.id)
      throw new DirectoryError('unknown-device', 'a receipt of another device');
    verify(primitives, primitives.verifier(device.signingPublicKey), 'wipeReceiptSignature');
    if (receipt.order !== device.wipedAt || !equalBytes(receipt.orderHash, hashOf(primitives, wire)))
      throw new DirectoryError('bad-proof', 'a receipt of another order');
    return receipt;
  });
}

const place = z.int().min(0);
const fieldsSchema = z.tuple([bytesOf(32), bytesOf(32), place, bytesOf(32), place]);

function read(wire: Uint8Array) {
  return readFields(wire, MAX_RECEIPT_BYTES, fieldsSchema);
}

function receiptIn([org, device, order, orderHash, destroyedMs]: z.infer<typeof fieldsSchema>): WipeReceipt {
  return { org: orgId(org), device: deviceId(device), order, orderHash, destroyedMs };
}

function hashOf(primitives: Primitives, wire: Uint8Array): Uint8Array {
  const hash: EntryHash = parseEntry(primitives, wire).hash;
  return idBytes(hash);
}
