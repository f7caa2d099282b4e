import type { DeviceId, MemberId, Primitives } from '@keytide/crypto-core';
import type { Device, DirectoryState, Member } from '../state.ts';
import type { MapItem } from './build.ts';
import { encodeDeviceHead, encodeMemberHead, encodeOrganisationHead, sealingHash } from './head.ts';
import { deviceKey, memberKey, organisationKey } from './key.ts';

/**
 * What the map of a state holds: a head for every member and device that ever was, and one for the
 * organisation. A function of the state alone, so whoever replays the log can check a map root.
 */
export function headsOf(primitives: Primitives, state: DirectoryState): MapItem[] {
  return changedHeads(primitives, null, state);
}

/**
 * The heads that differ between two states of one log, `before` (`null` for none) being the older. Compares
 * records by identity, which `replay` keeps for those that did not change; a head too many does no harm.
 */
export function changedHeads(
  primitives: Primitives,
  before: DirectoryState | null,
  after: DirectoryState,
): MapItem[] {
  const members = new Set<MemberId>();
  const devices = new Set<DeviceId>();
  for (const member of after.members.values()) {
    if (before?.members.get(member.id) === member) continue;
    members.add(member.id);
    for (const id of member.activeDevices) devices.add(id);
  }
  for (const device of after.devices.values()) {
    if (before?.devices.get(device.id) === device) continue;
    devices.add(device.id);
    members.add(device.member);
  }
  const lastDeviceEntry = new Map<MemberId, number>();
  for (const device of after.devices.values()) {
    if (!members.has(device.member)) continue;
    const entry = Math.max(lastDeviceEntry.get(device.member) ?? 0, newestOf(device));
    lastDeviceEntry.set(device.member, entry);
  }
  const items: MapItem[] = [];
  for (const id of members) {
    const member = after.members.get(id) as Member;
    const leaf = memberLeaf(member, lastDeviceEntry.get(id) ?? 0);
    items.push({ key: memberKey(primitives, id), leaf });
  }
  for (const id of devices) {
    const device = after.devices.get(id) as Device;
    const leaf = deviceLeaf(primitives, device, after.members.get(device.member) as Member);
    items.push({ key: deviceKey(primitives, id), leaf });
  }
  if (before?.organisationSince !== after.organisationSince)
    items.push({ key: organisationKey(primitives), leaf: organisationLeaf(after) });
  return items;
}

function deviceLeaf(primitives: Primitives, device: Device, owner: Member): Uint8Array {
  const { id, member, abilities, sealing, addedAt, revokedAt, wipedAt } = device;
  const isActive = revokedAt === null;
  return encodeDeviceHead({
    member,
    role: isActive ? owner.role : null,
    abilities,
    sealing: sealingHash(primitives, { device: id, ...sealing }),
    addedAt,
    revokedAt,
    wipedAt,
    since: isActive ? Math.max(newestOf(device), owner.roleSince) : newestOf(device),
  });
}

function organisationLeaf(state: DirectoryState): Uint8Array {
  const { policyAt, activeDevices, actingAdmins: admins, organisationSince: since } = state;
  return encodeOrganisationHead({ policyAt, activeDevices, admins, since });
}

function memberLeaf(member: Member, lastDeviceEntry: number): Uint8Array {
  const { handle, role, roleSince, activeDevices, addedAt, removedAt } = member;
  return encodeMemberHead({
    handle,
    role: removedAt === null ? role : null,
    devices: activeDevices,
    addedAt,
    removedAt,
    since: Math.max(addedAt, roleSince, removedAt ?? 0, lastDeviceEntry),
  });
}

/** The newest entry about the device itself. */
function newestOf({ addedAt, revokedAt, wipedAt }: Device): number {
  return Math.max(addedAt, revokedAt ?? 0, wipedAt ?? 0);
}
