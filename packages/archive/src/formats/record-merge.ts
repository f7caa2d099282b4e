import type { CborValue, DeviceId, MemberId } from '@keytide/crypto-core';
import type { Role } from '@keytide/key-directory';
import type { Operation } from './operation.ts';

/** A change of a record, and who made it. */
export interface RecordChange extends Operation {
  readonly device: DeviceId;
  readonly member: MemberId;
  /** The member's, as it counts for the change. */
  readonly role: Role;
  /** Where time ends for the change, milliseconds since 1970; `null` where nothing says. */
  readonly endMs: number | null;
}

/** A record in the making. */
export interface MergingRecord {
  /** Takes the next change of the log in; `false` when it changes nothing by the application's rules. */
  take(change: RecordChange): boolean;
  readonly isCreated: boolean;
  /** Removed is removed for good. */
  readonly isRemoved: boolean;
  /** Of each field the value that stays. */
  readonly body: { readonly [field: string]: CborValue };
}

/**
 * Begins a record that nobody has written to yet. How an application merges is the application's:
 * `recordMerge` of `@keytide/client/export` is the way in which devices do.
 */
export type MergeRecords = (collection: string, id: string) => MergingRecord;
