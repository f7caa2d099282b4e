import type { DeviceId, EntryHash, GroupId, MemberId, MerkleFrontier, OrgId } from '@keytide/crypto-core';
import type { IdMap } from './id-map.ts';
import type { InviteId } from './invite-id.ts';
import type { Policy } from './policy.ts';
import type { Role } from './role.ts';

/** A person, present or past. Indexes are places in the log. */
export interface Member {
  readonly id: MemberId;
  /** As shown to people; chosen by the member, not unique. */
  readonly handle: string;
  readonly role: Role;
  /** The entry that gave the present role. */
  readonly roleSince: number;
  readonly addedAt: number;
  readonly removedAt: number | null;
  /** In the order in which they were added; empty once removed. */
  readonly activeDevices: readonly DeviceId[];
  /** The newest entry about the member or a device of theirs. */
  readonly since: number;
}

/** A device, present or past. */
export interface Device {
  readonly id: DeviceId;
  readonly member: MemberId;
  /** Ed25519, 32 bytes. */
  readonly signingPublicKey: Uint8Array;
  /** Bit mask of docs/spec/keys-and-sealing.md. */
  readonly abilities: number;
  readonly sealing: {
    /** X-Wing, 1216 bytes. */
    readonly publicKey: Uint8Array;
    readonly notBeforeMs: number;
    readonly notAfterMs: number;
  };
  readonly addedAt: number;
  /** The entry that revoked it, wiped it or removed its member; `null` while it is active. */
  readonly revokedAt: number | null;
  /** The entry that ordered it to destroy what it holds; `null` where none has. */
  readonly wipedAt: number | null;
}

/** An invite, open or spent. */
export interface Invite {
  readonly id: InviteId;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Whom it lets in: a new member with this role, or a device of this member. */
  readonly lets:
    | { readonly in: 'member'; readonly role: Role }
    | { readonly in: 'device'; readonly member: MemberId };
  readonly expiresMs: number;
  /** The device that issued it. */
  readonly issuedBy: DeviceId;
  readonly issuedAt: number;
  readonly usedAt: number | null;
  readonly revokedAt: number | null;
}

/** Anonymous numbers about a dataset that are published of a period: docs/spec/aggregates.md. */
export interface PublishedPeriod {
  readonly dataset: string;
  /** In ms since 1970, from the first to before the second. */
  readonly fromMs: number;
  readonly toMs: number;
  /** What their noise costs, in thousandths. */
  readonly epsilonMilli: number;
  /** The hash of the release, hexadecimal. */
  readonly release: string;
  /** The entry that says so, and the device that signed it. */
  readonly at: number;
  readonly author: DeviceId;
}

/** What the rules look at: everything the log says up to some entry. */
export interface DirectoryFacts {
  readonly org: OrgId;
  /** How many entries the log has. */
  readonly size: number;
  readonly headHash: EntryHash;
  /** Time of the newest entry, which no later entry may precede. */
  readonly timeMs: number;
  /** The Merkle tree over the wires (RFC 9162). */
  readonly tree: MerkleFrontier;
  readonly policy: Policy;
  /** The group of all members. */
  readonly everyone: GroupId;
  readonly members: IdMap<MemberId, Member>;
  readonly devices: IdMap<DeviceId, Device>;
  readonly invites: IdMap<InviteId, Invite>;
  /** The access requests (hash, hexadecimal) that have their grant, and the entry that records it. */
  readonly grants: IdMap<string, number>;
  /** Of each group, up to which sequence number the relay has said that it deleted the log. */
  readonly deletedUpTo: IdMap<GroupId, number>;
  /** The aggregates that are published, in the order of the log. */
  readonly aggregates: readonly PublishedPeriod[];
  /** The members who could sign as admin: admins with an active device, in byte order. Never empty. */
  readonly actingAdmins: readonly MemberId[];
  /** How many devices are active. */
  readonly activeDevices: number;
  /** The entry that set the present policy; 0 for the genesis. */
  readonly policyAt: number;
  /** The newest entry that changed the policy, how many devices are active, or who could sign as admin. */
  readonly organisationSince: number;
}

/** An organisation as of some entry of its verified log. Never changed in place. */
export interface DirectoryState extends DirectoryFacts {
  /** Root of `tree`, 32 bytes. */
  readonly root: Uint8Array;
}

/** Whether the device may act and receive keys at this point of the log. */
export function isActive(state: DirectoryFacts, device: DeviceId): boolean {
  return state.devices.get(device)?.revokedAt === null;
}

/** Whether the device was active when the log had `size` entries; `size` is at most the state's. */
export function wasActive(state: DirectoryFacts, device: DeviceId, size: number): boolean {
  const found = state.devices.get(device);
  if (found === undefined || found.addedAt >= size) return false;
  return found.revokedAt === null || found.revokedAt >= size;
}

/** Whether this member could sign as admin. */
export function isActingAdmin(member: Omit<Member, 'since'>): boolean {
  return member.role === 'admin' && member.removedAt === null && member.activeDevices.length > 0;
}

/** Whether a join with this invite at `timeMs` would be let in, as far as the invite goes. */
export function isInviteOpen(state: DirectoryFacts, invite: Invite, timeMs: number): boolean {
  return (
    invite.usedAt === null &&
    invite.revokedAt === null &&
    timeMs <= invite.expiresMs &&
    isIssuerStillEntitled(state, invite)
  );
}

/**
 * An invite dies with the rights of its issuer: when the issuing device is revoked (a thief may have made
 * it), when the member is removed, and for good when the member is demoted, also if promoted again later.
 * An invite for another device of one's own takes no role.
 */
export function isIssuerStillEntitled(state: DirectoryFacts, invite: Invite): boolean {
  const device = state.devices.get(invite.issuedBy);
  if (device === undefined || device.revokedAt !== null) return false;
  if (invite.lets.in === 'device' && invite.lets.member === device.member) return true;
  const member = state.members.get(device.member);
  // Issuing took the admin role, so a role that has not changed since is admin still.
  return member !== undefined && member.roleSince <= invite.issuedAt;
}
