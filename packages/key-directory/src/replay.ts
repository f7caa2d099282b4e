import {
  appendLeaf,
  asciiBytes,
  EMPTY_FRONTIER,
  groupId,
  idBytes,
  labelledHash,
  leafHash,
  orgId,
  rootOf,
  type DeviceId,
  type GroupId,
  type MemberId,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import { parseEntry, type Entry } from './entry.ts';
import { DirectoryError } from './errors.ts';
import type { InviteId } from './invite-id.ts';
import { judge } from './judge.ts';
import { activeDevicesAfter, actingAdminsAfter, type Change } from './rules/change.ts';
import type { Device, DirectoryFacts, DirectoryState, Invite, Member } from './state.ts';

/**
 * Judges a log entry by entry, in time linear in its length: the state of an organisation after `wires`,
 * which continue `from` (leave it out to start at the genesis). All or nothing; `from` is not changed.
 * @throws DirectoryError for the first entry that the rules refuse, its wire as evidence; `malformed` for
 * no entries and no `from`
 */
export function replay(
  primitives: Primitives,
  wires: readonly Uint8Array[],
  from: DirectoryState | null = null,
): DirectoryState {
  let draft: Draft | null = from === null ? null : draftOf(from);
  for (const wire of wires) {
    const entry = parseEntry(primitives, wire);
    draft = advance(primitives, draft, entry, judge(primitives, draft, entry));
  }
  if (draft === null) throw new DirectoryError('malformed', 'a membership log has at least one entry');
  return { ...draft, root: rootOf(primitives, draft.tree) };
}

/**
 * The state after one more entry; `state` is `null` before the genesis, and is not changed. Copies what it
 * builds on, so many entries are better given to `replay` at once.
 * @throws DirectoryError as `replay`
 */
export function applyEntry(
  primitives: Primitives,
  state: DirectoryState | null,
  wire: Uint8Array,
): DirectoryState {
  return replay(primitives, [wire], state);
}

/** The group of all members: SHA-256 over the label, the organisation and `everyone`. */
export function everyoneGroup(primitives: Primitives, org: OrgId): GroupId {
  return groupId(labelledHash(primitives, 'groupId', idBytes(org), asciiBytes('everyone')));
}

/** A state being built: nobody else holds its maps, so an accepted entry can be written into them. */
interface Draft extends DirectoryFacts {
  readonly members: Map<MemberId, Member>;
  readonly devices: Map<DeviceId, Device>;
  readonly invites: Map<InviteId, Invite>;
  readonly grants: Set<string>;
  readonly deletedUpTo: Map<GroupId, number>;
}

function draftOf(state: DirectoryState): Draft {
  return {
    ...state,
    members: new Map(state.members),
    devices: new Map(state.devices),
    invites: new Map(state.invites),
    grants: new Set(state.grants),
    deletedUpTo: new Map(state.deletedUpTo),
  };
}

/** Only ever called with a change that the rules allowed, so no refused entry leaves a trace. */
function advance(primitives: Primitives, draft: Draft | null, entry: Entry, change: Change): Draft {
  const org = draft?.org ?? orgId(entry.hash);
  const tree = draft?.tree ?? EMPTY_FRONTIER;
  const actingAdmins = actingAdminsAfter(draft, change);
  const activeDevices = activeDevicesAfter(draft, change);
  const isOrganisationSame =
    draft !== null &&
    change.policy === undefined &&
    actingAdmins === draft.actingAdmins &&
    activeDevices === draft.activeDevices;
  const next: Draft = {
    org,
    size: entry.index + 1,
    headHash: entry.hash,
    timeMs: entry.timeMs,
    tree: appendLeaf(primitives, tree, leafHash(primitives, entry.wire)),
    policy: change.policy ?? (draft as Draft).policy,
    everyone: draft?.everyone ?? everyoneGroup(primitives, org),
    policyAt: change.policy === undefined ? (draft as Draft).policyAt : entry.index,
    actingAdmins,
    activeDevices,
    organisationSince: isOrganisationSame ? draft.organisationSince : entry.index,
    members: draft?.members ?? new Map<MemberId, Member>(),
    devices: draft?.devices ?? new Map<DeviceId, Device>(),
    invites: draft?.invites ?? new Map<InviteId, Invite>(),
    grants: draft?.grants ?? new Set<string>(),
    deletedUpTo: draft?.deletedUpTo ?? new Map<GroupId, number>(),
  };
  for (const member of change.members ?? []) next.members.set(member.id, member);
  for (const device of change.devices ?? []) next.devices.set(device.id, device);
  for (const invite of change.invites ?? []) next.invites.set(invite.id, invite);
  if (change.granted !== undefined) next.grants.add(change.granted);
  if (change.deleted !== undefined) next.deletedUpTo.set(change.deleted.group, change.deleted.upTo);
  return next;
}
