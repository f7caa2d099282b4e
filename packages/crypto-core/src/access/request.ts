import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBytes, readKnown, readUint } from '../cbor-fields.ts';
import type { Checkpoint } from '../epoch-statement.ts';
import { CryptoError } from '../errors.ts';
import { labelledHash } from '../hash.ts';
import {
  deviceId,
  deviceIdOf,
  groupId,
  idBytes,
  orgId,
  type DeviceId,
  type GroupId,
  type OrgId,
} from '../ids.ts';
import type { Primitives, Signer, Verifier } from '../primitives.ts';
import { signBytes, verifyBytes } from '../sign.ts';

const VERSION = 1;
const SUITE = 1;
const MAX_EPOCH = 2 ** 32 - 1;
const ONE_USE_KEY_BYTES = 1216;
const NONCE_BYTES = 32;

/** The longest access request that is read: 2 KiB. */
export const MAX_ACCESS_REQUEST_BYTES = 2048;

/** How many epochs one request may span; whoever lacks more asks again. */
export const MAX_REQUESTED_EPOCHS = 1024;

/** What a device says when it asks for epoch keys (docs/spec/access.md). Public, also to the relay. */
export interface AccessRequestFields {
  readonly org: OrgId;
  readonly group: GroupId;
  /** Whoever asks, and signs. */
  readonly device: DeviceId;
  /** From 1; the last not before the first, and at most `MAX_REQUESTED_EPOCHS` in all. */
  readonly firstEpoch: number;
  readonly lastEpoch: number;
  /** X-Wing, 1216 bytes: made for this request, and wiped with it. */
  readonly oneUseKey: Uint8Array;
  /** 32 random bytes. */
  readonly nonce: Uint8Array;
  /** The membership log as the device knows it. */
  readonly checkpoint: Checkpoint;
  /** Milliseconds since 1970, by the device's clock. */
  readonly createdMs: number;
}

/** A request as read from the wire. Nothing in it is trustworthy before `verifyAccessRequest`. */
export interface AccessRequest extends AccessRequestFields {
  /** Names it in answers and in the membership log: 32 bytes over all its fields. */
  readonly hash: Uint8Array;
}

/** Encodes and signs: CBOR `[request bytes, signature]`. @throws CryptoError `malformed` */
export function createAccessRequest(
  primitives: Primitives,
  signer: Signer,
  fields: AccessRequestFields,
): Uint8Array {
  const bytes = encodeCbor([
    VERSION,
    SUITE,
    idBytes(fields.org),
    idBytes(fields.group),
    idBytes(fields.device),
    fields.firstEpoch,
    fields.lastEpoch,
    fields.oneUseKey,
    fields.nonce,
    [fields.checkpoint.size, fields.checkpoint.root],
    fields.createdMs,
  ]);
  const wire = encodeCbor([bytes, signBytes(primitives, signer, 'accessRequestSignature', bytes)]);
  parseAccessRequest(primitives, wire); // what this side sends, the other side must be able to read
  return wire;
}

/** Reads a request WITHOUT checking its signature. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseAccessRequest(primitives: Primitives, wire: Uint8Array): AccessRequest {
  return readRequest(primitives, splitSigned(wire)[0]);
}

/**
 * Checks the signature on the exact bytes, then reads them, then checks that they speak of the signer's own device and
 * that one can seal to the one-use key. Who the device is, and what it may have, is for the caller.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version`, `bad-signature`, `wrong-context`, `bad-key`
 */
export function verifyAccessRequest(
  primitives: Primitives,
  verifier: Verifier,
  wire: Uint8Array,
): AccessRequest {
  const [bytes, signature] = splitSigned(wire);
  verifyBytes(primitives, verifier, 'accessRequestSignature', bytes, signature);
  const request = readRequest(primitives, bytes);
  if (request.device !== deviceIdOf(primitives, verifier.publicKey))
    throw new CryptoError('wrong-context', 'an access request of another device');
  primitives.encapsulator(request.oneUseKey);
  return request;
}

function splitSigned(wire: Uint8Array): [bytes: Uint8Array, signature: Uint8Array] {
  const parts = readArray(decodeCbor(wire, MAX_ACCESS_REQUEST_BYTES), 'access request', 2);
  return [readBytes(parts[0], 'access request bytes'), readBytes(parts[1], 'signature', 64)];
}

function readRequest(primitives: Primitives, bytes: Uint8Array): AccessRequest {
  const fields = readArray(decodeCbor(bytes, MAX_ACCESS_REQUEST_BYTES), 'access request', 11);
  readKnown(fields[0], 'access request version', VERSION);
  readKnown(fields[1], 'suite', SUITE);
  const checkpoint = readArray(fields[9], 'checkpoint', 2);
  const request = {
    org: orgId(readBytes(fields[2], 'organisation id', 32)),
    group: groupId(readBytes(fields[3], 'group id', 32)),
    device: deviceId(readBytes(fields[4], 'device id', 32)),
    firstEpoch: readUint(fields[5], 'first epoch', MAX_EPOCH),
    lastEpoch: readUint(fields[6], 'last epoch', MAX_EPOCH),
    oneUseKey: readBytes(fields[7], 'one-use key', ONE_USE_KEY_BYTES),
    nonce: readBytes(fields[8], 'nonce', NONCE_BYTES),
    checkpoint: { size: readUint(checkpoint[0], 'log size'), root: readBytes(checkpoint[1], 'log root', 32) },
    createdMs: readUint(fields[10], 'creation time'),
    hash: labelledHash(primitives, 'accessRequest', bytes),
  };
  const { firstEpoch, lastEpoch } = request;
  if (firstEpoch < 1 || lastEpoch < firstEpoch || lastEpoch - firstEpoch >= MAX_REQUESTED_EPOCHS)
    throw new CryptoError(
      'malformed',
      `a request is for 1 to ${MAX_REQUESTED_EPOCHS} epochs, counted from 1`,
    );
  return request;
}
