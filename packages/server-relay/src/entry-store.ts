import type { DeviceId, GroupId, OrgId } from '@keytide/crypto-core';
import type { AddressedBox, EntryKind } from '@keytide/relay-protocol';
import type { WrappedKeys, Wrapping } from './wrapped-keys.ts';

/**
 * The part of the store that keeps group logs, by day. The bytes here are sealed under the key of the day; the store
 * neither has that key unwrapped nor looks into them (docs/spec/relay-storage.md).
 */
export interface EntryStore {
  /** Appends in this order, each item judged by itself. No two items of a call share group and message id. */
  appendEnvelopes(items: readonly (EnvelopeAppend & Filed)[]): Promise<readonly FilingVerdict[]>;
  /** Adds the statement and its boxes together if its epoch follows the newest; epoch 1 starts a group's log. */
  announceEpoch(announcement: Announcement & Filed): Promise<FilingVerdict>;
  /**
   * Entries of one day after `afterSeq`, oldest first, as many as a page holds; those at the floor where `afterSeq` is
   * below it. Empty at the end of the log, and for a group without one.
   */
  readEntries(org: OrgId, group: GroupId, afterSeq: number): Promise<FiledPage>;
  /** The statement of the newest epoch, or `null` before the first. */
  readNewestStatement(org: OrgId, group: GroupId): Promise<FiledStatement | null>;
  /** The box of one device in one epoch, or `null`. */
  readBox(place: BoxPlace): Promise<FiledBox | null>;

  /** The wrapped key of an organisation's day, or `null`: there is none yet, or it is forgotten. */
  readDayKey(org: OrgId, day: number): Promise<Wrapping | null>;
  /** Keeps a key for that day unless it has one. */
  addDayKey(org: OrgId, day: number, key: Wrapping): Promise<void>;
  /** All of them, to wrap them anew; their number is the day. */
  readonly wrappedDayKeys: WrappedKeys;

  /** The newest day under which anything is filed; `null` for nothing. */
  newestDay(): Promise<number | null>;
  /** The organisations with anything in a group's log. */
  listLogOrgs(): Promise<readonly OrgId[]>;
  /** The days that an organisation's logs have, up to this one, oldest first; those that hold nothing are left out. */
  listLogDays(org: OrgId, throughDay: number): Promise<readonly LogDay[]>;
  /** The first day of an organisation's logs that has anything that no device says to have exported; `null` for none. */
  firstDayHeld(org: OrgId): Promise<number | null>;
  /**
   * Keeps what a device says that it has exported, in place of what it said before. False, and nothing done, unless the
   * membership log has `size` entries: a device that lost its place says nothing more.
   */
  putExport(exported: StoredExport, size: number): Promise<boolean>;
  /** Keeps the relay's signed word that it has forgotten a log up to this seq, with a device's that it has exported as much. */
  putDeletion(org: OrgId, group: GroupId, lastSeq: number, wire: Uint8Array): Promise<void>;
  /** The newest of them of an organisation, the newest first, as many as a page holds. */
  listDeletions(org: OrgId): Promise<readonly StoredDeletion[]>;
  /** What devices say that they have exported, and what they had said where `listDeletions` has what went by it; unordered. */
  listExports(org: OrgId): Promise<readonly Uint8Array[]>;
  /** The groups whose floor rises with these days, or is kept under the key of one of them. */
  listFloors(org: OrgId, throughDay: number): Promise<readonly FloorMove[]>;
  /** The newest statement before this seq; `null` before the first. */
  readStatementBefore(org: OrgId, group: GroupId, seq: number): Promise<FiledStatement | null>;
  /** Makes the floor ready that a group will have; again for the same one, it takes its place, but for a frontier that it does not have after the same statement. */
  keepFloor(floor: KeptFloor): Promise<void>;
  /** The floor that a group's log has now; `null` for a log that has everything. */
  readFloor(org: OrgId, group: GroupId): Promise<FiledFloor | null>;
  /**
   * The days of an organisation before this one whose trees are not kept to their ends, by group and seq, after that one:
   * as many as a page holds.
   */
  listDayTrees(org: OrgId, beforeDay: number, after: DayTree | null): Promise<readonly DayTree[]>;
  /** Keeps a tree with the day that its last entry is of, unless a larger one is there, or the day is forgotten. */
  keepTree(org: OrgId, group: GroupId, firstSeq: number, tree: StoredTree): Promise<void>;
  /** The largest tree of a log that is kept, with one of its days or where it begins, of no more than `size` entries; `null` for none. */
  readTree(org: OrgId, group: GroupId, size: number): Promise<StoredTree | null>;
  /**
   * Forgets the days of an organisation up to this one: their keys first, and with them everything that they sealed. All
   * or nothing. What each group lost by it.
   */
  forgetDays(org: OrgId, throughDay: number): Promise<readonly ForgottenStretch[]>;
  /** Gives back the disk of forgotten days before this one; how many tables went. What somebody uses just now waits for the next time. */
  dropForgotten(beforeDay: number): Promise<number>;
}

/** One envelope on its way into a group's log. `messageId` has 16 bytes. */
export interface EnvelopeAppend {
  readonly org: OrgId;
  readonly group: GroupId;
  /** From the envelope's header. */
  readonly epoch: number;
  readonly messageId: Uint8Array;
  readonly envelope: Uint8Array;
}

/** One epoch statement on its way into a group's log. */
export interface Announcement {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly epoch: number;
  readonly messageId: Uint8Array;
  readonly statement: Uint8Array;
  readonly boxes: readonly AddressedBox[];
}

/** The seq of what was stored, now (`repeated` false) or by an earlier call with the same id and bytes; or why not. */
export type AppendVerdict =
  | { readonly seq: number; readonly repeated: boolean }
  | { readonly refused: 'message-id-reused' | 'unknown-epoch' | 'epoch-taken' };

/** Where something is filed. */
export interface Filing {
  /** Days since 1970, UTC. The key of this day sealed it. */
  readonly day: number;
  /** 1 to 32: what is forgotten at about the same time is stored together. */
  readonly retentionClass: number;
  /** The oldest day that is not over: message ids are looked up from there on. */
  readonly sinceDay: number;
}

/** What the store has to know of sealed bytes. */
export interface Filed {
  readonly filing: Filing;
  /** 16 bytes that tell other bytes under the same message id: those of what was sealed, which is never sealed alike. */
  readonly digest: Uint8Array;
}

/** As of what was appended; or that it has to be sealed again, with the key that this day has then. */
export type FilingVerdict = AppendVerdict | { readonly sealAgainFor: number };

/** Where a box is. */
export interface BoxPlace {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly epoch: number;
  readonly device: DeviceId;
}

/** The day whose key opens something; `null` for what was stored before there were such keys, and is not sealed. */
interface Sealed {
  readonly day: number | null;
}

/** Part of a group's log. `headSeq` is the newest seq (0 for none), `epoch` the newest epoch (0 for none). */
export interface FiledPage extends Sealed {
  readonly entries: readonly FiledEntry[];
  readonly headSeq: number;
  readonly epoch: number;
}

/** One entry of a group's log. */
export interface FiledEntry {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly messageId: Uint8Array;
  readonly bytes: Uint8Array;
}

/** An epoch's statement. */
export interface FiledStatement extends Sealed {
  readonly epoch: number;
  readonly messageId: Uint8Array;
  readonly bytes: Uint8Array;
}

/** A device's box. */
export interface FiledBox extends Sealed {
  readonly bytes: Uint8Array;
}

/** A day of a group's log. */
export interface LogDay {
  readonly group: GroupId;
  readonly day: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Up to which seq somebody has exported the log; 0 for nobody. */
  readonly exportedThrough: number;
}

/** A device's signed statement that it has exported a log. */
export interface StoredExport {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly device: DeviceId;
  readonly throughSeq: number;
  readonly wire: Uint8Array;
}

/** The relay's signed word that it has forgotten a part of a log. */
export interface StoredDeletion {
  readonly group: GroupId;
  readonly lastSeq: number;
  readonly wire: Uint8Array;
}

/** A day of a group's log, on the way to its tree: the first seq and the last. */
export interface DayTree {
  readonly group: GroupId;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** A log's tree after its first entries (RFC 9162). */
interface StoredTree {
  readonly size: number;
  /** 32 bytes a hash, the largest subtree first. */
  readonly frontier: Uint8Array;
}

/** A group's floor, and what it will be. */
export interface FloorMove {
  readonly group: GroupId;
  readonly firstSeq: number;
  readonly nextFirstSeq: number;
}

/** Where a log begins of which days are forgotten: the newest statement before it, and the tree's frontier there. */
export interface FiledFloor extends FiledStatement {
  readonly firstSeq: number;
  /** 32 bytes a hash, the largest subtree first; `null` where what was forgotten could not be read. */
  readonly frontier: Uint8Array | null;
}

/** A floor on its way to being kept. */
export interface KeptFloor extends FiledFloor {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly day: number;
}

/** What is gone of a group's log: the first and the last seq. */
export interface ForgottenStretch {
  readonly group: GroupId;
  readonly firstSeq: number;
  readonly lastSeq: number;
}
