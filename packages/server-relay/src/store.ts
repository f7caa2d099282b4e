import type { DeviceId, GroupId, OrgId } from '@keytide/crypto-core';
import type { AddressedBox, EntryKind, Subject } from '@keytide/relay-protocol';
import type { BlobIndex } from './blob-index.ts';
import type { DataStore } from './data-store.ts';
import type { AccessStore } from './access-store.ts';
import type { DirectoryStore, LogGrowth } from './directory-store.ts';
import type { WipeStore } from './wipe-store.ts';
import type { MailStore } from './mail-store.ts';
import type { PreKeyStore } from './pre-key-store.ts';

/**
 * What a relay keeps. Everything a method reports as done is durable. Ids are scoped by organisation; nothing
 * here knows keys or opens ciphertext. `relayStoreConformance` in testkit says what each method owes.
 * Every method throws RelayError `database-failed` when the store cannot answer; the outcome of a write is
 * then unknown, and repeating it is safe.
 */
export interface RelayStore
  extends DirectoryStore, DataStore, BlobIndex, WipeStore, AccessStore, MailStore, PreKeyStore {
  /** Whether there is any organisation. */
  hasOrganisations(): Promise<boolean>;
  /** Starts an organisation with its genesis entry. False, and nothing done, if it exists. */
  createOrganisation(genesis: Genesis): Promise<boolean>;
  /**
   * Entries of the membership log from index `from` on, as many as a page holds, or at most `count`; `null` without
   * the organisation.
   */
  readLog(org: OrgId, from: number, count?: number): Promise<LogPage | null>;
  /**
   * Adds the entry with this index, its growth with it, ends the named subjects' sessions, and deletes the boxes and
   * unlock shares of the devices among them: all or nothing.
   * @throws RelayError `head-moved` unless `index` is the size of the log
   */
  appendLogEntry(addition: LogAddition): Promise<void>;

  /** Appends in this order, each item judged by itself. No two items of a call share group and message id. */
  appendEnvelopes(items: readonly EnvelopeAppend[], nowMs: number): Promise<readonly AppendVerdict[]>;
  /** Adds the statement and its boxes together if its epoch follows the newest; epoch 1 starts a group's log. */
  announceEpoch(announcement: Announcement, nowMs: number): Promise<AppendVerdict>;
  /** Entries after `afterSeq`, oldest first, as many as a page holds. A group without a log is empty. */
  readEntries(org: OrgId, group: GroupId, afterSeq: number): Promise<EntriesPage>;
  /** The statement of the newest epoch, or `null` before the first. */
  readNewestStatement(org: OrgId, group: GroupId): Promise<Uint8Array | null>;
  /** The box of one device in one epoch, or `null`. */
  readBox(place: { org: OrgId; group: GroupId; epoch: number; device: DeviceId }): Promise<Uint8Array | null>;

  /** Keeps a session under the SHA-256 of its token. */
  putSession(session: StoredSession): Promise<void>;
  /** The session with this token hash, also an expired one, or `null`. */
  readSession(org: OrgId, tokenHash: Uint8Array): Promise<StoredSession | null>;
  /** Keeps a challenge until it is taken or forgotten. */
  putChallenge(challenge: StoredChallenge): Promise<void>;
  /** Uses up a challenge. True for one caller only, and only for its subject before its time is over. */
  takeChallenge(challenge: Omit<StoredChallenge, 'expiresMs'>, nowMs: number): Promise<boolean>;
  /** Deletes sessions, challenges, access requests, mail and pre-keys that expired before `nowMs`, and unlock shares that are over. */
  forgetExpired(nowMs: number): Promise<void>;

  /** Finishes what is under way and lets go of the database. */
  close(): Promise<void>;
}

/** The first entry of a membership log. */
export interface Genesis {
  readonly org: OrgId;
  readonly wire: Uint8Array;
  readonly growth: LogGrowth;
  readonly nowMs: number;
}

/** Part of a membership log; `size` counts the whole log. */
export interface LogPage {
  readonly entries: readonly Uint8Array[];
  readonly size: number;
}

/** One more membership log entry, and whose sessions end with it. */
export interface LogAddition {
  readonly org: OrgId;
  readonly index: number;
  readonly wire: Uint8Array;
  readonly growth: LogGrowth;
  readonly ended: readonly Subject[];
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

/** Part of a group's log. `headSeq` is the newest seq (0 for none), `epoch` the newest epoch (0 for none). */
export interface EntriesPage {
  readonly entries: readonly StoredEntry[];
  readonly headSeq: number;
  readonly epoch: number;
}

/** One entry of a group's log. */
export interface StoredEntry {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly bytes: Uint8Array;
}

/** A session as it is kept: the token itself is not. */
export interface StoredSession {
  readonly org: OrgId;
  /** 32 bytes. */
  readonly tokenHash: Uint8Array;
  readonly subject: Subject;
  readonly expiresMs: number;
}

/** A login challenge that was given out. */
export interface StoredChallenge {
  readonly org: OrgId;
  /** 32 bytes. */
  readonly challenge: Uint8Array;
  readonly subject: Subject;
  readonly expiresMs: number;
}
