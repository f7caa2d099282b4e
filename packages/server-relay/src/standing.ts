import { deviceId, toHex, type DeviceId } from '@keytide/crypto-core';
import {
  inviteId,
  isActive,
  isInviteOpen,
  type Device,
  type DirectoryState,
  type Entry,
} from '@keytide/key-directory/verify';
import type { Subject } from '@keytide/relay-protocol';

/** Whether the membership log gives this subject a right to be here: an active device, an open invite, or the recovery key. */
export function hasStanding(state: DirectoryState, subject: Subject, nowMs: number): boolean {
  if (subject.kind === 'device') return isActive(state, deviceId(subject.id));
  if (subject.kind === 'recovery') return recoveryId(state) === subject.id;
  const invite = state.invites.get(inviteId(subject.id));
  return invite !== undefined && isInviteOpen(state, invite, nowMs);
}

/** Whether this is a device that was told to destroy what it holds: it may read that, and say that it did. */
export function isWiped(state: DirectoryState, subject: Subject): boolean {
  return subject.kind === 'device' && (state.devices.get(deviceId(subject.id))?.wipedAt ?? null) !== null;
}

/** Whether this subject may read the membership log: who has standing, and who has to find its wipe order there. */
export function mayRead(state: DirectoryState, subject: Subject, nowMs: number): boolean {
  return hasStanding(state, subject, nowMs) || isWiped(state, subject);
}

/**
 * How many entries of the membership log this subject reads: a device that is to destroy what it holds, up to the
 * order; anyone else who may read, all.
 */
export function readsUpTo(state: DirectoryState, subject: Subject): number {
  const device = subject.kind === 'device' ? state.devices.get(deviceId(subject.id)) : undefined;
  const wipedAt = device?.wipedAt ?? null;
  return wipedAt === null ? Infinity : wipedAt + 1;
}

/** Whether this is a device of an admin. */
export function isAdmin(state: DirectoryState, { member }: Pick<Device, 'member'>): boolean {
  return state.members.get(member)?.role === 'admin';
}

/** Whether the device's member may say what was exported. */
export function mayExport(state: DirectoryState, { member }: Pick<Device, 'member'>): boolean {
  const role = state.members.get(member)?.role;
  return role === 'admin' || role === 'exporter';
}

/** The active devices of all admins. */
export function adminDevices({ actingAdmins, members }: DirectoryState): DeviceId[] {
  return actingAdmins.flatMap((admin) => members.get(admin)?.activeDevices ?? []);
}

/** The active devices of all who may say what was exported. */
export function exporterDevices(state: DirectoryState): DeviceId[] {
  return [...state.members.values()].flatMap(({ role, activeDevices }) =>
    role === 'admin' || role === 'exporter' ? activeDevices : [],
  );
}

/** The 32-byte Ed25519 key by which a subject that may log in proves itself; `null` for any other. */
export function keyOf(state: DirectoryState, subject: Subject, nowMs: number): Uint8Array | null {
  if (!mayRead(state, subject, nowMs)) return null;
  if (subject.kind === 'device') return state.devices.get(deviceId(subject.id))?.signingPublicKey ?? null;
  if (subject.kind === 'recovery') return state.policy.recoveryKey ?? null;
  return state.invites.get(inviteId(subject.id))?.publicKey ?? null;
}

/** Whether this subject may hand in the entry: an invite its own join or device, the recovery key a recovery; a device any, for entries prove themselves. */
export function mayHandIn(subject: Subject, entry: Entry): boolean {
  if (subject.kind === 'device') return true;
  if (subject.kind === 'recovery') return entry.body.kind === 'recovery';
  return 'invite' in entry.body && entry.body.kind !== 'revoke-invite' && entry.body.invite === subject.id;
}

/** Who had a right of their own before and has none any more: devices, and a recovery key that was spent or replaced. */
export function cutOff(before: DirectoryState, after: DirectoryState): Subject[] {
  const gone: Subject[] = [];
  for (const { id } of after.devices.changedSince(before.devices)) {
    if (isActive(before, id) && !isActive(after, id)) gone.push({ kind: 'device', id });
  }
  const recovery = recoveryId(before);
  if (recovery !== null && recovery !== recoveryId(after)) gone.push({ kind: 'recovery', id: recovery });
  return gone;
}

function recoveryId({ policy }: DirectoryState): string | null {
  return policy.recoveryKey === undefined ? null : toHex(policy.recoveryKey);
}
