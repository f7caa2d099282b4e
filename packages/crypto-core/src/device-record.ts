import { decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readKnown, readUint } from './cbor-fields.ts';
import { CryptoError } from './errors.ts';
import { deviceId, deviceIdOf, idBytes, type DeviceId } from './ids.ts';
import type { Primitives, Signer, Verifier } from './primitives.ts';
import { signBytes, verifyBytes } from './sign.ts';

const VERSION = 1;
const SUITE = 1;
const MAX_DEVICE_RECORD_BYTES = 128;
const MAX_SEALING_RECORD_BYTES = 2048;
const SEALING_PUBLIC_KEY_BYTES = 1216;

/** Bit of `DeviceRecord.abilities`: the device can hold libsignal sessions. */
export const ABILITY_LIBSIGNAL = 1;

/** What a device says of itself, once: docs/spec/keys-and-sealing.md. Public. */
export interface DeviceRecord {
  /** Ed25519, 32 bytes; its hash is the device id. */
  readonly signingPublicKey: Uint8Array;
  /** Bit mask below 2^32; bits this build does not know are kept. */
  readonly abilities: number;
}

/** A sealing key and when it may be used, in milliseconds since 1970 (from inclusive, to exclusive). Public. */
export interface SealingRecord {
  readonly device: DeviceId;
  /** X-Wing, 1216 bytes. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** CBOR `[1, suite, signing key, abilities]`. */
export function encodeDeviceRecord(record: DeviceRecord): Uint8Array {
  return encodeCbor([VERSION, SUITE, record.signingPublicKey, record.abilities]);
}

/** Reads a device record. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseDeviceRecord(bytes: Uint8Array): DeviceRecord {
  const fields = readArray(decodeCbor(bytes, MAX_DEVICE_RECORD_BYTES), 'device record', 4);
  readKnown(fields[0], 'device record version', VERSION);
  readKnown(fields[1], 'suite', SUITE);
  return {
    signingPublicKey: readBytes(fields[2], 'signing key', 32),
    abilities: readUint(fields[3], 'abilities', 2 ** 32 - 1),
  };
}

/** The signed record of a sealing key as it travels: CBOR `[record bytes, signature]`. */
export function createSealingRecord(
  primitives: Primitives,
  signer: Signer,
  record: SealingRecord,
): Uint8Array {
  const bytes = encodeCbor([
    VERSION,
    idBytes(record.device),
    record.publicKey,
    record.notBeforeMs,
    record.notAfterMs,
  ]);
  return encodeCbor([bytes, signBytes(primitives, signer, 'sealingRecordSignature', bytes)]);
}

/**
 * Checks the signature on the exact bytes, then reads them, then checks that they speak of the signer's own device,
 * and that one can seal to the key: nobody could start an epoch for a device whose key is none. Whether the record is
 * in force at some time is for the caller.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version`, `bad-signature`, `wrong-context`, `bad-key`
 */
export function verifySealingRecord(
  primitives: Primitives,
  verifier: Verifier,
  wire: Uint8Array,
): SealingRecord {
  const [bytes, signature] = splitSigned(wire);
  verifyBytes(primitives, verifier, 'sealingRecordSignature', bytes, signature);
  const record = parseRecordBytes(bytes);
  if (record.device !== deviceIdOf(primitives, verifier.publicKey))
    throw new CryptoError('wrong-context', 'a sealing record of another device');
  primitives.encapsulator(record.publicKey);
  return record;
}

/** Reads a sealing record WITHOUT checking who signed it, or that its key is one. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseSealingRecord(wire: Uint8Array): SealingRecord {
  return parseRecordBytes(splitSigned(wire)[0]);
}

function splitSigned(wire: Uint8Array): [bytes: Uint8Array, signature: Uint8Array] {
  const parts = readArray(decodeCbor(wire, MAX_SEALING_RECORD_BYTES), 'sealing record', 2);
  return [readBytes(parts[0], 'sealing record bytes'), readBytes(parts[1], 'signature', 64)];
}

function parseRecordBytes(bytes: Uint8Array): SealingRecord {
  const fields = readArray(decodeCbor(bytes, MAX_SEALING_RECORD_BYTES), 'sealing record', 5);
  readKnown(fields[0], 'sealing record version', VERSION);
  const record = {
    device: deviceId(readBytes(fields[1], 'device id', 32)),
    publicKey: readBytes(fields[2], 'sealing key', SEALING_PUBLIC_KEY_BYTES),
    notBeforeMs: readUint(fields[3], 'validity start'),
    notAfterMs: readUint(fields[4], 'validity end'),
  };
  if (record.notAfterMs <= record.notBeforeMs)
    throw new CryptoError('malformed', 'a sealing record ends before it starts');
  return record;
}
