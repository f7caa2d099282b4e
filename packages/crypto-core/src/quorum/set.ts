import { equalBytes } from '../bytes.ts';
import { decodeCbor, encodeCbor, type CborValue } from '../cbor.ts';
import { readArray, readBytes, readKnown, readText, readUint } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import { labelledHash } from '../hash.ts';
import { deviceId, deviceIdOf, idBytes, orgId, type DeviceId, type OrgId } from '../ids.ts';
import type { Primitives, Signer, Verifier } from '../primitives.ts';
import { signBytes, verifyBytes } from '../sign.ts';
import { publicKeyFingerprint, SECRET_KINDS, type QuorumSecretKind } from './fingerprint.ts';

const VERSION = 1;
const SUITE = 1;
const MAX_NAME_LENGTH = 64;
/** Of holders. Interpolation takes a time that grows with the cube, and Hermes is slow. */
export const MAX_HOLDERS = 64;
/** 32 KiB. */
export const MAX_QUORUM_SET_BYTES: number = 32 * 1024;
const NO_PREVIOUS: Uint8Array = new Uint8Array(32);

/** One who holds a share. The share's index is the holder's place in the list, counted from 1. */
export interface QuorumHolder {
  /** How people call the holder: 1 to 64 UTF-16 units. */
  readonly name: string;
  /** 32 bytes: the salted hash of the holder's share. */
  readonly commitment: Uint8Array;
}

/** What is public of a shared secret, as its dealer signed it: docs/spec/quorum.md. */
export interface QuorumSetFields {
  readonly org: OrgId;
  /** 16 random bytes; every share carries them. */
  readonly setId: Uint8Array;
  /** Hash of the set that this one takes the place of; `null` for the first. */
  readonly previous: Uint8Array | null;
  readonly kind: QuorumSecretKind;
  /** 32 bytes by which the secret is recognised: `secretFingerprint`. */
  readonly fingerprint: Uint8Array;
  /** M: how many shares give the secret. 2 to the number of holders. */
  readonly threshold: number;
  /** N: 2 to 64. */
  readonly holders: readonly QuorumHolder[];
  /** Whoever split the secret, and so has known it. */
  readonly dealer: DeviceId;
  readonly createdMs: number;
}

/** A set and its hash; of `verifyQuorumSet`, with its signature checked. */
export interface QuorumSet extends QuorumSetFields {
  readonly hash: Uint8Array;
}

/** What a set must agree with. */
export interface QuorumSetExpectation {
  readonly org: OrgId;
  /** The dealer's signing key, from the membership log. */
  readonly dealer: Verifier;
  /**
   * The set that this one takes the place of: it must be of the same secret. `null` for the first; `any` where the
   * public key tells whether it is the right secret.
   */
  readonly previous: QuorumSet | null | 'any';
  /** The public key whose seed is shared, when it is known, as that of the archive is. `null` for a `key`. */
  readonly publicKey: Uint8Array | null;
}

/** The signed set as it travels: CBOR `[set bytes, signature]`. @throws CryptoError `malformed` for fields that no set may have */
export function encodeQuorumSet(primitives: Primitives, signer: Signer, fields: QuorumSetFields): Uint8Array {
  const { org, setId, previous, kind, fingerprint, threshold, holders, dealer, createdMs } = fields;
  const bytes = encodeCbor([
    VERSION,
    SUITE,
    idBytes(org),
    setId,
    previous ?? NO_PREVIOUS,
    SECRET_KINDS.indexOf(kind),
    fingerprint,
    threshold,
    holders.map(({ name, commitment }) => [name, commitment]),
    idBytes(dealer),
    createdMs,
  ]);
  parseSetBytes(bytes);
  return encodeCbor([bytes, signBytes(primitives, signer, 'quorumSetSignature', bytes)]);
}

/**
 * Checks the dealer's signature on the exact bytes, reads them, and compares them with what is expected.
 * @throws CryptoError `bad-signature`; `malformed`, `too-large`, `unsupported-version`
 * @throws CryptoError `wrong-context`: of another organisation, dealer, or not the successor of `previous`
 * @throws CryptoError `commitment-mismatch`: of another secret than `previous` or `publicKey`
 */
export function verifyQuorumSet(
  primitives: Primitives,
  wire: Uint8Array,
  expected: QuorumSetExpectation,
): QuorumSet {
  const parts = readArray(decodeCbor(wire, MAX_QUORUM_SET_BYTES), 'quorum set', 2);
  const bytes = readBytes(parts[0], 'quorum set bytes');
  verifyBytes(primitives, expected.dealer, 'quorumSetSignature', bytes, readBytes(parts[1], 'signature', 64));
  const set = withHash(primitives, bytes);
  if (set.org !== expected.org || set.dealer !== deviceIdOf(primitives, expected.dealer.publicKey))
    throw new CryptoError('wrong-context', 'a quorum set of another organisation or dealer');
  if (expected.previous !== 'any') verifyPrevious(set, expected.previous);
  verifyPublicKey(primitives, set, expected.publicKey);
  return set;
}

/**
 * Reads a set of which nobody here has the dealer's key: nothing in it is proven, not who holds which share. What its
 * shares give has its fingerprint all the same, which is for the caller to compare with one from elsewhere.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version`
 */
export function parseQuorumSet(primitives: Primitives, wire: Uint8Array): QuorumSet {
  const parts = readArray(decodeCbor(wire, MAX_QUORUM_SET_BYTES), 'quorum set', 2);
  readBytes(parts[1], 'signature', 64);
  return withHash(primitives, readBytes(parts[0], 'quorum set bytes'));
}

function withHash(primitives: Primitives, bytes: Uint8Array): QuorumSet {
  return { ...parseSetBytes(bytes), hash: labelledHash(primitives, 'quorumSet', bytes) };
}

function verifyPrevious(set: QuorumSet, previous: QuorumSet | null): void {
  if (!equalBytes(set.previous ?? NO_PREVIOUS, previous?.hash ?? NO_PREVIOUS))
    throw new CryptoError('wrong-context', 'not the set that follows the one known here');
  if (previous !== null && (set.kind !== previous.kind || !equalBytes(set.fingerprint, previous.fingerprint)))
    throw new CryptoError('commitment-mismatch', 'a set that follows another must be of the same secret');
}

function verifyPublicKey(primitives: Primitives, set: QuorumSet, publicKey: Uint8Array | null): void {
  if (publicKey === null) return;
  if (
    set.kind === 'key' ||
    !equalBytes(set.fingerprint, publicKeyFingerprint(primitives, set.kind, publicKey))
  )
    throw new CryptoError('commitment-mismatch', 'not a set of the seed of this public key');
}

function parseSetBytes(bytes: Uint8Array): QuorumSetFields {
  const fields = readArray(decodeCbor(bytes, MAX_QUORUM_SET_BYTES), 'quorum set', 11);
  readKnown(fields[0], 'quorum set version', VERSION);
  readKnown(fields[1], 'suite', SUITE);
  const previous = readBytes(fields[4], 'previous set', 32);
  const holders = readArray(fields[8], 'holders');
  if (holders.length > MAX_HOLDERS)
    throw new CryptoError('malformed', `a set has at most ${MAX_HOLDERS} holders`);
  const threshold = readUint(fields[7], 'threshold', holders.length);
  if (threshold < 2) throw new CryptoError('malformed', 'a secret that one share gives is not shared');
  return {
    org: orgId(readBytes(fields[2], 'organisation', 32)),
    setId: readBytes(fields[3], 'set id', 16),
    previous: equalBytes(previous, NO_PREVIOUS) ? null : previous,
    kind: SECRET_KINDS[readUint(fields[5], 'kind of secret', SECRET_KINDS.length - 1)] as QuorumSecretKind,
    fingerprint: readBytes(fields[6], 'fingerprint', 32),
    threshold,
    holders: holders.map(parseHolder),
    dealer: deviceId(readBytes(fields[9], 'dealer', 32)),
    createdMs: readUint(fields[10], 'creation time'),
  };
}

function parseHolder(value: CborValue): QuorumHolder {
  const fields = readArray(value, 'holder', 2);
  return {
    name: readText(fields[0], 'holder name', MAX_NAME_LENGTH),
    commitment: readBytes(fields[1], 'commitment', 32),
  };
}
