import { decodeCbor, encodeCbor, type CborValue } from '../cbor.ts';
import { readArray, readBytes, readKnown, readUint } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import { idBytes, deviceId, orgId, type DeviceId, type OrgId } from '../ids.ts';
import type { Label } from '../labels.ts';
import type { Primitives, Signer, Verifier } from '../primitives.ts';
import { signBytes, verifyBytes } from '../sign.ts';

const VERSION = 1;
const MAX_RECORD_BYTES = 4096;
const EC_KEY_BYTES = 33;
const KYBER_KEY_BYTES = 1569;
const SIGNATURE_BYTES = 64;
const MAX_ID = 2 ** 32 - 1;

/** Whose record it is. */
export interface BundleOwner {
  readonly org: OrgId;
  readonly device: DeviceId;
}

/** What anybody needs to start a session with a device, over and over, signed by the device: docs/spec/pairwise.md. Public. */
export interface PreKeyBundleFields {
  /** When it was made; each of a device's bundles is later than the one before. */
  readonly createdMs: number;
  readonly notAfterMs: number;
  readonly registrationId: number;
  /** libsignal's form of a public key: type ‖ Curve25519 [32]. */
  readonly identityKey: Uint8Array;
  /** Of the signed pre-key and of the Kyber pre-key of last resort. */
  readonly id: number;
  readonly signedPreKey: Uint8Array;
  /** By the identity key, as the next. */
  readonly signedPreKeySignature: Uint8Array;
  /** libsignal's form: type ‖ ML-KEM-1024 [1568]. */
  readonly kyberPreKey: Uint8Array;
  readonly kyberPreKeySignature: Uint8Array;
}

/** A pair of pre-keys for one session, signed by the device. Public. */
export interface OneTimePreKeyFields {
  /** Of both. */
  readonly id: number;
  readonly preKey: Uint8Array;
  readonly kyberPreKey: Uint8Array;
  readonly kyberPreKeySignature: Uint8Array;
}

/** CBOR `[record, signature]`, about 1.9 KB. */
export function createBundle(
  primitives: Primitives,
  signer: Signer,
  owner: BundleOwner,
  bundle: PreKeyBundleFields,
): Uint8Array {
  return signRecord(primitives, signer, 'preKeyBundleSignature', owner, [
    bundle.createdMs,
    bundle.notAfterMs,
    bundle.registrationId,
    bundle.identityKey,
    bundle.id,
    bundle.signedPreKey,
    bundle.signedPreKeySignature,
    bundle.kyberPreKey,
    bundle.kyberPreKeySignature,
  ]);
}

/**
 * Reads a bundle that this device has signed for this organisation. Whether it is in force is for the caller.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version`, `bad-signature`, `wrong-context`
 */
export function verifyBundle(
  primitives: Primitives,
  verifier: Verifier,
  owner: BundleOwner,
  wire: Uint8Array,
): PreKeyBundleFields {
  const fields = verifyRecord(primitives, verifier, 'preKeyBundleSignature', owner, wire, 9);
  return {
    createdMs: readUint(fields[0], 'creation time'),
    notAfterMs: readUint(fields[1], 'validity end'),
    registrationId: readUint(fields[2], 'registration id', MAX_ID),
    identityKey: readBytes(fields[3], 'identity key', EC_KEY_BYTES),
    id: readUint(fields[4], 'pre-key id', MAX_ID),
    signedPreKey: readBytes(fields[5], 'signed pre-key', EC_KEY_BYTES),
    signedPreKeySignature: readBytes(fields[6], 'signed pre-key signature', SIGNATURE_BYTES),
    kyberPreKey: readBytes(fields[7], 'Kyber pre-key', KYBER_KEY_BYTES),
    kyberPreKeySignature: readBytes(fields[8], 'Kyber pre-key signature', SIGNATURE_BYTES),
  };
}

/** CBOR `[record, signature]`, about 1.8 KB. */
export function createOneTimePreKey(
  primitives: Primitives,
  signer: Signer,
  owner: BundleOwner,
  oneTime: OneTimePreKeyFields,
): Uint8Array {
  const fields = [oneTime.id, oneTime.preKey, oneTime.kyberPreKey, oneTime.kyberPreKeySignature];
  return signRecord(primitives, signer, 'oneTimePreKeySignature', owner, fields);
}

/** As `verifyBundle`, for a one-time pair. */
export function verifyOneTimePreKey(
  primitives: Primitives,
  verifier: Verifier,
  owner: BundleOwner,
  wire: Uint8Array,
): OneTimePreKeyFields {
  const fields = verifyRecord(primitives, verifier, 'oneTimePreKeySignature', owner, wire, 4);
  return {
    id: readUint(fields[0], 'pre-key id', MAX_ID),
    preKey: readBytes(fields[1], 'pre-key', EC_KEY_BYTES),
    kyberPreKey: readBytes(fields[2], 'Kyber pre-key', KYBER_KEY_BYTES),
    kyberPreKeySignature: readBytes(fields[3], 'Kyber pre-key signature', SIGNATURE_BYTES),
  };
}

/** `[[1, org, device, …fields], signature]` */
function signRecord(
  primitives: Primitives,
  signer: Signer,
  label: Label,
  owner: BundleOwner,
  fields: readonly CborValue[],
): Uint8Array {
  const record = encodeCbor([VERSION, idBytes(owner.org), idBytes(owner.device), ...fields]);
  return encodeCbor([record, signBytes(primitives, signer, label, record)]);
}

function verifyRecord(
  primitives: Primitives,
  verifier: Verifier,
  label: Label,
  owner: BundleOwner,
  wire: Uint8Array,
  count: number,
): readonly CborValue[] {
  const parts = readArray(decodeCbor(wire, MAX_RECORD_BYTES), 'pre-keys', 2);
  const record = readBytes(parts[0], 'pre-key record');
  verifyBytes(primitives, verifier, label, record, readBytes(parts[1], 'signature', SIGNATURE_BYTES));
  const fields = readArray(decodeCbor(record, MAX_RECORD_BYTES), 'pre-key record', 3 + count);
  readKnown(fields[0], 'pre-key record version', VERSION);
  const org = orgId(readBytes(fields[1], 'organisation id', 32));
  const device = deviceId(readBytes(fields[2], 'device id', 32));
  if (org !== owner.org || device !== owner.device)
    throw new CryptoError('wrong-context', 'pre-keys of another device or organisation');
  return fields.slice(3);
}
