import { deviceId } from '@keytide/crypto-core';
import {
  inviteId,
  isActive,
  isInviteOpen,
  type DirectoryState,
  type Entry,
} from '@keytide/key-directory/verify';
import type { Subject } from '@keytide/relay-protocol';

/** Whether the membership log gives this subject a right to be here: an active device, or an open invite. */
export function hasStanding(state: DirectoryState, subject: Subject, nowMs: number): boolean {
  if (subject.kind === 'device') return isActive(state, deviceId(subject.id));
  const invite = state.invites.get(inviteId(subject.id));
  return invite !== undefined && isInviteOpen(state, invite, nowMs);
}

/** The 32-byte Ed25519 key by which a subject with standing proves itself; `null` without standing. */
export function keyOf(state: DirectoryState, subject: Subject, nowMs: number): Uint8Array | null {
  if (!hasStanding(state, subject, nowMs)) return null;
  if (subject.kind === 'device') return state.devices.get(deviceId(subject.id))?.signingPublicKey ?? null;
  return state.invites.get(inviteId(subject.id))?.publicKey ?? null;
}

/** Whether this subject may hand in the entry: an invite its own join or device; a device any, for entries prove themselves. */
export function mayHandIn(subject: Subject, entry: Entry): boolean {
  if (subject.kind === 'device') return true;
  return 'invite' in entry.body && entry.body.kind !== 'revoke-invite' && entry.body.invite === subject.id;
}

/** The devices that were active before and are not any more. */
export function cutOff(before: DirectoryState, after: DirectoryState): Subject[] {
  const gone: Subject[] = [];
  for (const { id } of after.devices.changedSince(before.devices)) {
    if (isActive(before, id) && !isActive(after, id)) gone.push({ kind: 'device', id });
  }
  return gone;
}
