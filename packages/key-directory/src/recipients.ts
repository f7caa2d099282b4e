import {
  archiveRecipient,
  type DeviceId,
  type GroupId,
  type MemberId,
  type Primitives,
  type Recipient,
} from '@keytide/crypto-core';
import { DirectoryError } from './errors.ts';
import type { DirectoryFacts } from './state.ts';

/** An active device: what sealing to it and checking its signatures take. */
export interface GroupDevice {
  readonly device: DeviceId;
  readonly member: MemberId;
  /** Ed25519, 32 bytes. */
  readonly signingPublicKey: Uint8Array;
  /** X-Wing, 1216 bytes. */
  readonly sealingPublicKey: Uint8Array;
}

/**
 * The devices that epoch keys of a group are for, sorted by device id: at this version every active device
 * of the organisation, whose only group is `state.everyone`.
 * @throws DirectoryError `unknown-group`
 */
export function recipientsOf(state: DirectoryFacts, group: GroupId): GroupDevice[] {
  if (group !== state.everyone) throw new DirectoryError('unknown-group', 'no such group');
  const recipients: GroupDevice[] = [];
  for (const { id, member, signingPublicKey, sealing, revokedAt } of state.devices.values()) {
    if (revokedAt !== null) continue;
    recipients.push({ device: id, member, signingPublicKey, sealingPublicKey: sealing.publicKey });
  }
  // In order already, as the devices of a state are.
  return recipients;
}

/** The organisation's archive: who it is as a recipient of epoch keys, and what they are sealed to. */
export interface ArchiveOf extends Recipient {
  /** X-Wing, 1216 bytes. */
  readonly sealingPublicKey: Uint8Array;
}

/** The archive that the policy names, as a recipient; `null` where it names none. */
export function archiveOf(
  primitives: Primitives,
  { policy }: Pick<DirectoryFacts, 'policy'>,
): ArchiveOf | null {
  const { archiveKey } = policy;
  if (archiveKey === undefined) return null;
  return { device: archiveRecipient(primitives, archiveKey), sealingPublicKey: archiveKey };
}

/**
 * All that epoch keys of a group are for, as a statement names them: the devices, and the archive.
 * @throws DirectoryError `unknown-group`
 */
export function epochRecipientsOf(
  primitives: Primitives,
  state: DirectoryFacts,
  group: GroupId,
): Recipient[] {
  const archive = archiveOf(primitives, state);
  return [...recipientsOf(state, group), ...(archive === null ? [] : [archive])];
}
