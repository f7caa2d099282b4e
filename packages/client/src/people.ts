import { sorted, type DeviceId, type MemberId } from '@keytide/crypto-core';
import {
  isInviteOpen,
  type DirectoryState,
  type Invite,
  type InviteId,
  type Role,
} from '@keytide/key-directory';
import type { Self } from './epoch-ring.ts';

/** A person in the organisation, with the devices that are active now. */
export interface MemberView {
  readonly id: MemberId;
  /** The name this person chose; the relay sees it. */
  readonly handle: string;
  readonly role: Role;
  readonly devices: readonly DeviceId[];
  /** Whether this is the member whose device this is. */
  readonly self: boolean;
  /**
   * Whether this member's devices have changed since this device took note of them (`acknowledge`); of one's own
   * member: whether a device came that this one did not invite.
   */
  readonly changed: boolean;
  /** How many entries the log had when this was looked up: what `acknowledge` takes note of. */
  readonly asOf: number;
}

/** A device, present or past. */
export interface DeviceView {
  readonly id: DeviceId;
  readonly member: MemberId;
  /** `wiped`: it was told to destroy what it holds, which says nothing about whether it has. */
  readonly state: 'active' | 'revoked' | 'wiped';
  /** Whether this is the device that asks. */
  readonly self: boolean;
}

/** An invite that nobody has used or taken back. */
export interface InviteView {
  readonly id: InviteId;
  /** Whom it lets in: a new member with this role, or a device of this member. */
  readonly lets: Invite['lets'];
  readonly issuedBy: DeviceId;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
  /** By this device's clock. Only taking it back makes sure that it lets nobody in. */
  readonly expired: boolean;
}

/** The current members, in the order in which they came. */
export function membersIn(
  state: DirectoryState,
  self: MemberId,
  isChanged: (member: MemberId) => boolean,
): MemberView[] {
  const members = state.members.values().filter((member) => member.removedAt === null);
  return sorted(members, (a, b) => a.addedAt - b.addedAt).map(({ id, handle, role, activeDevices }) => ({
    id,
    handle,
    role,
    devices: activeDevices,
    self: id === self,
    changed: isChanged(id),
    asOf: state.size,
  }));
}

/** Every device there is or was, in the order in which they came. */
export function devicesIn(state: DirectoryState, self: Self): DeviceView[] {
  const devices = sorted(state.devices.values(), (a, b) => a.addedAt - b.addedAt);
  return devices.map(({ id, member, revokedAt, wipedAt }) => ({
    id,
    member,
    state: wipedAt !== null ? 'wiped' : revokedAt !== null ? 'revoked' : 'active',
    self: id === self.device,
  }));
}

/** The invites that are not spent, and whose issuer still holds the right, in the order in which they were issued. */
export function invitesIn(state: DirectoryState, nowMs: number): InviteView[] {
  const open = state.invites.values().filter((invite) => isInviteOpen(state, invite, invite.expiresMs));
  return sorted(open, (a, b) => a.issuedAt - b.issuedAt).map(({ id, lets, issuedBy, expiresMs }) => ({
    id,
    lets,
    issuedBy,
    expiresMs,
    expired: nowMs > expiresMs,
  }));
}
