import type { DeviceId, MemberId, Primitives } from '@keytide/crypto-core';
import { parseEntry, type DirectoryState, type Entry, type EntryBody } from '@keytide/key-directory';
import { signatoryOf, type Signatory } from './proposal.ts';
import type { RelayAudit } from './relay-audit.ts';
import { isSignedBy } from './signed-entries.ts';

/** What the membership log and the relay say of one's own member, held against what this device knows. */
export interface AuditReport {
  /** How many entries the log has. */
  readonly size: number;
  /** Every entry by or about one's own member and its devices, and every recovery, in the order of the log. */
  readonly entries: readonly AuditedEntry[];
  /** Those of them that are an alarm, and that the person has not taken note of (`Client.acknowledge`). */
  readonly alarms: readonly AuditedEntry[];
  /** What the relay was asked; `null` when it was not. */
  readonly relay: RelayAudit | null;
}

/** An entry by or about one's own member and its devices, or a recovery of the organisation. */
export interface AuditedEntry {
  readonly index: number;
  /** Milliseconds since 1970, by the clock of its author. */
  readonly timeMs: number;
  readonly body: EntryBody;
  /** Whose signatures it has: its author's first, then those of the approvals. */
  readonly signedBy: readonly Signatory[];
  /** Who made the invite by which somebody came in with it; `null` for other entries, and for founders. */
  readonly invitedBy: Signatory | null;
  readonly alarm: AuditAlarm | null;
}

/**
 * `stolen-key`: signed with this device's key, and not by this device: somebody has the key, or the device was put
 * back from an older copy. `foreign-device`: a device of one's own member that none of its devices has invited, or
 * something that such a device has signed. What an admin does about oneself names the admin, and is no alarm.
 */
export type AuditAlarm = 'stolen-key' | 'foreign-device';

interface OwnEntries {
  readonly primitives: Primitives;
  readonly wires: readonly Uint8Array[];
  readonly state: DirectoryState;
  /** This device. */
  readonly device: DeviceId;
  /** Places of entries with this device's signature that it has not made. */
  readonly unknown: readonly number[];
}

/** Finds one's own entries in the verified log, and what is wrong with them (docs/spec/transparency.md, Monitor). */
export function auditEntries({ primitives, wires, state, device, unknown }: OwnEntries): AuditedEntry[] {
  const self = state.devices.get(device);
  if (self === undefined) return [];
  const stolen = new Set(unknown);
  const invites = new Map([...state.invites.values()].map((invite) => [invite.usedAt, invite]));
  // What was there when this device came is what its person joined.
  const trusted = new Set<DeviceId>();
  for (const { id, member, addedAt } of state.devices.values())
    if (member === self.member && addedAt <= self.addedAt) trusted.add(id);

  const audited: AuditedEntry[] = [];
  for (const wire of wires) {
    const entry = parseEntry(primitives, wire);
    const { index, timeMs, body, author } = entry;
    const signers = [author, ...entry.approvals.map((approval) => approval.device)];
    const own = signers.filter((signer) => state.devices.get(signer)?.member === self.member);
    if (own.length === 0 && !isAbout(state, entry, self.member)) continue;
    const invite = invites.get(index);
    const isInvited = invite !== undefined && trusted.has(invite.issuedBy) && !stolen.has(invite.issuedAt);
    if (isInvited && own.includes(author)) trusted.add(author);
    const isForeign = own.some((signer) => !trusted.has(signer));
    const isStolen = stolen.has(index) && isSignedBy(entry, device);
    audited.push({
      index,
      timeMs,
      body,
      signedBy: signers.map((signer) => signatoryOf(state, signer) as Signatory),
      invitedBy: invite === undefined ? null : signatoryOf(state, invite.issuedBy),
      alarm: isStolen ? 'stolen-key' : isForeign ? 'foreign-device' : null,
    });
  }
  return audited;
}

/** Whether an entry that others have signed is about a member or one of its devices. */
function isAbout(state: DirectoryState, { body, index }: Entry, member: MemberId): boolean {
  const isOwn = (device: DeviceId): boolean => state.devices.get(device)?.member === member;
  switch (body.kind) {
    case 'role':
    case 'remove-member':
    case 'invite-device':
      return body.member === member;
    case 'revoke-device':
    case 'grant':
      return isOwn(body.device);
    case 'wipe':
      return [...state.devices.values()].some((device) => isOwn(device.id) && device.wipedAt === index);
    case 'recovery':
      // Somebody came in who needed no admin, and set the policy: nobody may miss that.
      return true;
    default:
      return false;
  }
}
