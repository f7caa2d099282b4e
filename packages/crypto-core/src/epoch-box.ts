import { concatBytes } from './bytes.ts';
import { openBox, sealBox } from './box.ts';
import type { EpochStatement } from './epoch-statement.ts';
import { CryptoError } from './errors.ts';
import { idBytes, type DeviceId } from './ids.ts';
import { EPOCH_KEY_BYTES, verifyCommitment } from './key-commitment.ts';
import type { Decapsulator, Encapsulator, Primitives } from './primitives.ts';
import { Secret } from './secret.ts';

/** The sealed epoch key for one device, or for the archive: 1168 bytes, fit to be seen by the relay. */
export interface EpochBox {
  readonly device: DeviceId;
  readonly box: Uint8Array;
}

/** Seals an epoch key to one device of the epoch whose statement has this hash. */
export function sealEpochBox(
  primitives: Primitives,
  statementHash: Uint8Array,
  recipient: { readonly device: DeviceId; readonly encapsulator: Encapsulator },
  key: Secret,
): EpochBox {
  const { device, encapsulator } = recipient;
  const context = boxContext(statementHash, device);
  return { device, box: key.use((bytes) => sealBox(primitives, encapsulator, context, bytes)) };
}

/**
 * Opens a recipient's box and checks the key against the statement, which must have been verified.
 * @param decapsulators the sealing keys that it can be sealed to, the likeliest first: see `boxRecordsAt`; of the
 *   archive (`device` is its `archiveRecipient`) the one whose seed was recombined
 * @throws CryptoError `decryption-failed` (with none of them), `commitment-mismatch`, `malformed`, `too-large`;
 *   a retry does not help
 */
export function openEpochBox(
  primitives: Primitives,
  decapsulators: readonly Decapsulator[],
  statement: EpochStatement,
  device: DeviceId,
  box: Uint8Array,
): Secret {
  const key = Secret.own(openWithAny(primitives, decapsulators, boxContext(statement.hash, device), box));
  try {
    if (key.use((bytes) => bytes.length) !== EPOCH_KEY_BYTES)
      throw new CryptoError('malformed', 'an epoch key has 32 bytes');
    verifyCommitment(primitives, statement, key);
    return key;
  } catch (cause) {
    key.dispose();
    throw cause;
  }
}

function openWithAny(
  primitives: Primitives,
  decapsulators: readonly Decapsulator[],
  context: Uint8Array,
  box: Uint8Array,
): Uint8Array {
  for (const decapsulator of decapsulators) {
    try {
      return openBox(primitives, decapsulator, context, box);
    } catch (error) {
      if (!(error instanceof CryptoError && error.code === 'decryption-failed')) throw error;
    }
  }
  throw new CryptoError('decryption-failed', 'sealed to none of these keys');
}

function boxContext(statementHash: Uint8Array, recipient: DeviceId): Uint8Array {
  return concatBytes(statementHash, idBytes(recipient));
}
