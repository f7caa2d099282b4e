import { concatBytes } from './bytes.ts';
import { openBox, sealBox } from './box.ts';
import type { EpochStatement } from './epoch-statement.ts';
import { CryptoError } from './errors.ts';
import { idBytes, type DeviceId } from './ids.ts';
import { EPOCH_KEY_BYTES, verifyCommitment } from './key-commitment.ts';
import type { Decapsulator, Encapsulator, Primitives } from './primitives.ts';
import { Secret } from './secret.ts';

/** The sealed epoch key for one device: 1168 bytes, fit to be seen by the relay. */
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
 * Opens this device's box and checks the key against the statement, which must have been verified.
 * @throws CryptoError `decryption-failed`, `commitment-mismatch`, `malformed`, `too-large`; a retry does not help
 */
export function openEpochBox(
  primitives: Primitives,
  decapsulator: Decapsulator,
  statement: EpochStatement,
  device: DeviceId,
  box: Uint8Array,
): Secret {
  const key = Secret.own(openBox(primitives, decapsulator, boxContext(statement.hash, device), box));
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

function boxContext(statementHash: Uint8Array, recipient: DeviceId): Uint8Array {
  return concatBytes(statementHash, idBytes(recipient));
}
