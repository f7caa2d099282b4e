import { concatBytes, equalBytes, uint32Bytes } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { hkdfExpand } from './hkdf.ts';
import { idBytes } from './ids.ts';
import type { EpochStatementFields } from './epoch-statement.ts';
import { labelled } from './labels.ts';
import type { Primitives } from './primitives.ts';
import type { Secret } from './secret.ts';

/** Length of an epoch key, which is random and never derived from another. */
export const EPOCH_KEY_BYTES = 32;

/** The epoch that a key belongs to. */
export type EpochName = Pick<EpochStatementFields, 'org' | 'group' | 'epoch'>;

/**
 * Fixes an epoch key of 32 bytes without giving it away: 32 public bytes. Two such keys with one commitment would
 * be a collision of SHA-256, so whoever shares the key again, shares this one. HMAC pads keys with zeros, so that is
 * true of keys of one length only.
 */
export function keyCommitment(primitives: Primitives, name: EpochName, key: Secret): Uint8Array {
  const context = concatBytes(idBytes(name.org), idBytes(name.group), uint32Bytes(name.epoch));
  return key.use((bytes) => hkdfExpand(primitives, bytes, labelled('keyCommitment', context), 32));
}

/** Checks that a key, from wherever it came, is the one the statement committed to. @throws CryptoError `commitment-mismatch`, also for another length than 32 bytes */
export function verifyCommitment(
  primitives: Primitives,
  statement: EpochName & Pick<EpochStatementFields, 'keyCommitment'>,
  key: Secret,
): void {
  const hasLength = key.use((bytes) => bytes.length) === EPOCH_KEY_BYTES;
  if (!hasLength || !equalBytes(keyCommitment(primitives, statement, key), statement.keyCommitment))
    throw new CryptoError('commitment-mismatch', 'not the key that the epoch statement committed to');
}
