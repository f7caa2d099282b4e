import type { DeviceId, GroupId, MemberId } from '@keytide/crypto-core';
import { operationIn, type Operation } from './operation.ts';
import { countsIn, type MessageEntry, type OpenedEntries, type OpenedEntry } from './opened-entry.ts';
import type { MergeRecords, MergingRecord } from './record-merge.ts';

/** Which records, and how what was written to them is merged. */
export interface RecordOptions {
  readonly collection: string;
  readonly merge: MergeRecords;
}

/** Where a record was changed, and by whom. */
export interface ChangePlace {
  readonly seq: number;
  /** By the writer's clock. */
  readonly ms: number;
  readonly name: string | null;
  readonly member: MemberId;
  readonly device: DeviceId;
}

/** A record as it stands at the end of the entries. */
export interface RecordState {
  readonly group: GroupId;
  readonly collection: string;
  readonly id: string;
  /** `incomplete`: its creation is not among the entries. Only what is `shown` is shown by the application. */
  readonly state: 'shown' | 'removed' | 'incomplete';
  /** Empty unless it is shown. */
  readonly body: MergingRecord['body'];
  /** The first and the last change that counts, in the order of the log. */
  readonly first: ChangePlace;
  readonly last: ChangePlace;
  readonly changes: number;
  /** Changes that count for nothing. */
  readonly rejected: number;
}

/** What was written so far makes of the records. It keeps what their fields say, and nothing for each change. */
export interface RecordStates {
  /** Takes the next entry in; answers whether it is a change of a record that counts. */
  take(opened: OpenedEntry): boolean;
  /** Of those to which something was written that counts, as they were first met. */
  all(): Generator<RecordState, void, undefined>;
}

/**
 * The records of a collection as they stand, by the group's log alone: the same whatever the clocks say.
 * Docs/spec/derived-formats.md, "States".
 */
export async function* recordStates(
  entries: OpenedEntries,
  options: RecordOptions,
): AsyncGenerator<RecordState, void, undefined> {
  yield* (await readStates(entries, options)).all();
}

/** Reads the entries once. */
export async function readStates(
  entries: OpenedEntries,
  { collection, merge }: RecordOptions,
): Promise<RecordStates> {
  const states = newStates(merge, collection);
  for await (const opened of entries()) states.take(opened);
  return states;
}

/** Nothing was written yet; without `wanted`, records of all collections are followed. */
export function newStates(merge: MergeRecords, wanted?: string): RecordStates {
  const records = new Map<string, Tracked>();
  return {
    take(opened) {
      const { group, entry } = opened;
      const operation = entry.kind === 'message' ? operationIn(entry.payload) : null;
      if (operation === null || operation.act === 'append') return false;
      const { collection, item: id } = operation;
      if (wanted !== undefined && collection !== wanted) return false;
      const key = `${id}/${group}/${collection}`;
      const tracked = records.get(key) ?? {
        ...{ group, collection, id, record: merge(collection, id) },
        ...{ first: null, last: null, changes: 0, rejected: 0 },
      };
      records.set(key, tracked);
      return follow(tracked, opened, entry as MessageEntry, operation);
    },
    *all() {
      for (const tracked of records.values()) {
        const { record, first, last, ...rest } = tracked;
        if (first === null || last === null) continue;
        const state = record.isRemoved ? 'removed' : record.isCreated ? 'shown' : 'incomplete';
        yield { ...rest, state, body: state === 'shown' ? record.body : {}, first, last };
      }
    },
  };
}

interface Tracked extends Pick<RecordState, 'group' | 'collection' | 'id'> {
  readonly record: MergingRecord;
  first: ChangePlace | null;
  last: ChangePlace | null;
  changes: number;
  rejected: number;
}

function follow(
  tracked: Tracked,
  { name, endMs }: OpenedEntry,
  { seq, member, sender: device, role, invalid }: MessageEntry,
  operation: Operation,
): boolean {
  if (!countsIn({ invalid }) || !tracked.record.take({ ...operation, device, member, role, endMs })) {
    tracked.rejected += 1;
    return false;
  }
  tracked.changes += 1;
  tracked.last = { seq, ms: operation.ms, name, member, device };
  tracked.first ??= tracked.last;
  return true;
}
