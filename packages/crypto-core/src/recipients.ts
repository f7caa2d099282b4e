import { CryptoError } from './errors.ts';
import { labelledHash } from './hash.ts';
import { deviceId, idBytes, type DeviceId } from './ids.ts';
import type { Primitives } from './primitives.ts';
import { sorted } from './sorted.ts';

const ID_BYTES = 32;

/** A device that an epoch is for, or the archive under its own id (`archiveRecipient`). Which of its sealing keys its box is sealed to is for author and recipient alone. */
export interface Recipient {
  readonly device: DeviceId;
}

/**
 * Names a set of devices, whatever their order: 32 bytes over their ids, sorted (docs/spec/epoch-statement.md).
 * @throws CryptoError `recipients-mismatch` for a device that is there twice, or an empty set
 */
export function recipientsHash(primitives: Primitives, recipients: readonly Recipient[]): Uint8Array {
  const ordered = sortByDevice(recipients);
  const ids = new Uint8Array(ordered.length * ID_BYTES);
  for (const [index, { device }] of ordered.entries()) ids.set(idBytes(device), index * ID_BYTES);
  return labelledHash(primitives, 'recipients', ids);
}

/**
 * The id under which an archive key (X-Wing, 1216 bytes) is a recipient: 32 public bytes that stand where a device's id
 * stands. A hash under a label of its own, so no device has it, and another key has another.
 */
export function archiveRecipient(primitives: Primitives, archiveKey: Uint8Array): DeviceId {
  return deviceId(labelledHash(primitives, 'archiveRecipient', archiveKey));
}

/** A copy sorted by device id. @throws CryptoError `recipients-mismatch` for a device that is there twice, or an empty set */
export function sortByDevice<T extends Recipient>(items: readonly T[]): T[] {
  const ordered = sorted(items, (a, b) => (a.device < b.device ? -1 : a.device > b.device ? 1 : 0));
  if (ordered.length === 0) throw new CryptoError('recipients-mismatch', 'an epoch without recipients');
  if (ordered.some((item, index) => item.device === ordered[index + 1]?.device))
    throw new CryptoError('recipients-mismatch', 'a device is named twice');
  return ordered;
}

/** Checks that an epoch's author receives its key. @throws CryptoError `not-a-recipient` */
export function requireRecipient(recipients: readonly Recipient[], author: DeviceId): void {
  if (!recipients.some(({ device }) => device === author))
    throw new CryptoError('not-a-recipient', 'the author is not a recipient of its own epoch');
}
