import { CryptoError } from './errors.ts';
import { labelledHash } from './hash.ts';
import { idBytes, type DeviceId } from './ids.ts';
import type { Primitives } from './primitives.ts';
import { sorted } from './sorted.ts';

const HASH_BYTES = 32;
/** Device id and hash of the sealing key. */
const NAMED_BYTES = 2 * HASH_BYTES;

/** A device that receives epoch keys, and the sealing key (X-Wing, 1216 bytes) that its box is sealed to. */
export interface Recipient {
  readonly device: DeviceId;
  readonly sealingPublicKey: Uint8Array;
}

/**
 * Names a set of recipients, whatever their order: 32 bytes over device id ‖ SHA-256(sealing key) of each,
 * sorted by device id (docs/spec/epoch-statement.md).
 * @throws CryptoError `recipients-mismatch` for a device that is there twice, or an empty set
 */
export function recipientsHash(primitives: Primitives, recipients: readonly Recipient[]): Uint8Array {
  const ordered = sortByDevice(recipients);
  const named = new Uint8Array(ordered.length * NAMED_BYTES);
  for (const [index, { device, sealingPublicKey }] of ordered.entries()) {
    named.set(idBytes(device), index * NAMED_BYTES);
    named.set(primitives.sha256(sealingPublicKey), index * NAMED_BYTES + HASH_BYTES);
  }
  return labelledHash(primitives, 'recipients', named);
}

/** A copy sorted by device id. @throws CryptoError `recipients-mismatch` for a device that is there twice, or an empty set */
export function sortByDevice<T extends { readonly device: DeviceId }>(items: readonly T[]): T[] {
  const ordered = sorted(items, (a, b) => (a.device < b.device ? -1 : a.device > b.device ? 1 : 0));
  if (ordered.length === 0) throw new CryptoError('recipients-mismatch', 'an epoch without recipients');
  if (ordered.some((item, index) => item.device === ordered[index + 1]?.device))
    throw new CryptoError('recipients-mismatch', 'a device is named twice');
  return ordered;
}

/** Checks that an epoch's author receives its key. @throws CryptoError `not-a-recipient` */
export function requireRecipient(
  recipients: readonly { readonly device: DeviceId }[],
  author: DeviceId,
): void {
  if (!recipients.some(({ device }) => device === author))
    throw new CryptoError('not-a-recipient', 'the author is not a recipient of its own epoch');
}
