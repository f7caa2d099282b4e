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
  type GroupId,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import { parseEntry, type Entry } from './entry.ts';
import { DirectoryError } from './errors.ts';
import { IdMap } from './id-map.ts';
import { judge } from './judge.ts';
import { activeDevicesAfter, actingAdminsAfter, type Change } from './rules/change.ts';
import type { DirectoryFacts, DirectoryState } from './state.ts';

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
  let facts: DirectoryFacts | null = from;
  for (const wire of wires) {
    const entry = parseEntry(primitives, wire);
    facts = advance(primitives, facts, entry, judge(primitives, facts, entry));
  }
  if (facts === null) throw new DirectoryError('malformed', 'a membership log has at least one entry');
  return { ...facts, root: rootOf(primitives, facts.tree) };
}

/**
 * The state after one more entry; `state` is `null` before the genesis, and is not changed. Shares with it what
 * stays the same, so it costs what the entry changes, and holding both hardly more than holding one.
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

/** Only ever called with a change that the rules allowed. */
function advance(
  primitives: Primitives,
  facts: DirectoryFacts | null,
  entry: Entry,
  change: Change,
): DirectoryFacts {
  const { index } = entry;
  const org = facts?.org ?? orgId(entry.hash);
  const actingAdmins = actingAdminsAfter(facts, change);
  const activeDevices = activeDevicesAfter(facts, change);
  const isOrganisationSame =
    facts !== null &&
    change.policy === undefined &&
    actingAdmins === facts.actingAdmins &&
    activeDevices === facts.activeDevices;
  const grants = facts?.grants ?? IdMap.empty<string, number>();
  const aggregates = facts?.aggregates ?? [];
  const deletedUpTo = facts?.deletedUpTo ?? IdMap.empty<GroupId, number>();
  return {
    org,
    size: index + 1,
    headHash: entry.hash,
    timeMs: entry.timeMs,
    tree: appendLeaf(primitives, facts?.tree ?? EMPTY_FRONTIER, leafHash(primitives, entry.wire)),
    policy: change.policy ?? (facts as DirectoryFacts).policy,
    policyAt: change.policy === undefined ? (facts as DirectoryFacts).policyAt : index,
    everyone: facts?.everyone ?? everyoneGroup(primitives, org),
    actingAdmins,
    activeDevices,
    organisationSince: isOrganisationSame ? facts.organisationSince : index,
    members: withRecords(
      facts?.members,
      change.members?.map((member) => ({ ...member, since: index })),
    ),
    devices: withRecords(facts?.devices, change.devices),
    invites: withRecords(facts?.invites, change.invites),
    grants: change.granted === undefined ? grants : grants.with(change.granted, index),
    deletedUpTo:
      change.deleted === undefined
        ? deletedUpTo
        : deletedUpTo.with(change.deleted.group, change.deleted.upTo),
    aggregates: change.aggregates === undefined ? aggregates : [...aggregates, change.aggregates],
  };
}

function withRecords<Id extends string, Kept extends { readonly id: Id }>(
  before: IdMap<Id, Kept> = IdMap.empty(),
  written: readonly Kept[] = [],
): IdMap<Id, Kept> {
  return written.reduce((map, one) => map.with(one.id, one), before);
}
