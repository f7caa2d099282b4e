import type { Primitives } from '@keytide/crypto-core';
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
 * The heads that differ between two states of one log, `after` made from `before` (`null` for none). Looks only
 * at records that `replay` has written in between, so it costs what has changed; a head too many does no harm.
 */
export function changedHeads(
  primitives: Primitives,
  before: DirectoryState | null,
  after: DirectoryState,
): MapItem[] {
  const members = after.members.changedSince(before?.members ?? null);
  // Whatever happens to a device is written into its member too; what happens to a member may change all devices.
  const devices = new Set(after.devices.changedSince(before?.devices ?? null));
  for (const { activeDevices } of members)
    for (const id of activeDevices) devices.add(after.devices.get(id) as Device);
  const items: MapItem[] = [];
  for (const member of members)
    items.push({ key: memberKey(primitives, member.id), leaf: memberLeaf(member) });
  for (const device of devices) {
    const leaf = deviceLeaf(primitives, device, after.members.get(device.member) as Member);
    items.push({ key: deviceKey(primitives, device.id), leaf });
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

function memberLeaf(member: Member): Uint8Array {
  const { handle, role, activeDevices, addedAt, removedAt, since } = member;
  return encodeMemberHead({
    handle,
    role: removedAt === null ? role : null,
    devices: activeDevices,
    addedAt,
    removedAt,
    since,
  });
}

/** The newest entry about the device itself. */
function newestOf({ addedAt, revokedAt, wipedAt }: Device): number {
  return Math.max(addedAt, revokedAt ?? 0, wipedAt ?? 0);
}
