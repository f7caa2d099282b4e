import { compareBytes, concatBytes, equalBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import { labelledHash } from '../hash.ts';
import { idBytes, type OrgId } from '../ids.ts';
import type { Primitives } from '../primitives.ts';
import { sorted } from '../sorted.ts';

const VERSION = 1;
const FINGERPRINT_BYTES = 32;
const SCANNABLE_BYTES = 1 + 2 * FINGERPRINT_BYTES;
const KEY_BYTES = 32;
const DIGIT_GROUPS = 6;
const GROUP_BYTES = 5;
const GROUP_DIGITS = 5;

/** What two people compare in person. Public. */
export interface SafetyNumber {
  /** 60 digits in 12 groups of 5 with spaces between; the same on both sides. */
  readonly digits: string;
  /** 65 bytes for a QR code: version 1 ‖ fingerprint of who shows it [32] ‖ of who scans it [32]. */
  readonly scannable: Uint8Array;
}

/** Ed25519 public keys: one device's, or those of all devices of a member in any order. */
type SigningKeys = readonly Uint8Array[];

/**
 * The safety number of two parties in an organisation: docs/spec/pairwise.md. It changes when either party's
 * keys do.
 * @throws CryptoError `malformed` for no keys, a key of a wrong length, or a key given twice
 */
export function safetyNumber(
  primitives: Primitives,
  org: OrgId,
  mine: SigningKeys,
  theirs: SigningKeys,
): SafetyNumber {
  const fingerprints = [mine, theirs].map((keys) => fingerprint(primitives, org, keys));
  const halves = sorted(fingerprints, compareBytes);
  return {
    digits: halves.map((half) => halfDigits(half)).join(' '),
    scannable: concatBytes(Uint8Array.of(VERSION), ...fingerprints),
  };
}

/**
 * Whether what was scanned from the other's screen is the number this device has for both.
 * @throws CryptoError `malformed`, `unsupported-version`
 */
export function isSameSafetyNumber(own: SafetyNumber, scanned: Uint8Array): boolean {
  if (scanned[0] !== VERSION) throw new CryptoError('unsupported-version', 'unknown safety number version');
  if (scanned.length !== SCANNABLE_BYTES) throw new CryptoError('malformed', 'not a scanned safety number');
  const end = 1 + FINGERPRINT_BYTES;
  return equalBytes(
    concatBytes(scanned.subarray(0, 1), scanned.subarray(end), scanned.subarray(1, end)),
    own.scannable,
  );
}

function fingerprint(primitives: Primitives, org: OrgId, keys: SigningKeys): Uint8Array {
  const ordered = sorted(keys, compareBytes);
  const fit = ordered.every(
    (key, at) => key.length === KEY_BYTES && (at === 0 || !equalBytes(key, ordered[at - 1] as Uint8Array)),
  );
  if (!fit || keys.length === 0) throw new CryptoError('malformed', 'not the signing keys of one party');
  return labelledHash(primitives, 'safetyNumber', idBytes(org), ...ordered);
}

/** 30 digits: six times five bytes, big-endian, modulo 100,000. */
function halfDigits(hash: Uint8Array): string {
  return Array.from({ length: DIGIT_GROUPS }, (_, group) => {
    const bytes = hash.subarray(group * GROUP_BYTES, (group + 1) * GROUP_BYTES);
    const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    return String(value % 10 ** GROUP_DIGITS).padStart(GROUP_DIGITS, '0');
  }).join(' ');
}
