import type { OrgId } from '@keytide/crypto-core';
import type { Subject } from '@keytide/relay-protocol';
import type { BlobIndex } from './blob-index.ts';
import type { DataStore } from './data-store.ts';
import type { AccessStore } from './access-store.ts';
import type { DirectoryStore, LogGrowth } from './directory-store.ts';
import type { EntryStore } from './entry-store.ts';
import type { WipeStore } from './wipe-store.ts';
import type { MailStore } from './mail-store.ts';
import type { PreKeyStore } from './pre-key-store.ts';
import type { PushStore } from './push/store.ts';
import type { NodeStore } from './node-store.ts';
import type { SessionStore } from './session-store.ts';

/**
 * What a relay keeps. Everything a method reports as done is durable. Ids are scoped by organisation; nothing
 * here knows keys or opens ciphertext. `relayStoreConformance` in testkit says what each method owes.
 * Every method throws RelayError `database-failed` when the store cannot answer; the outcome of a write is
 * then unknown, and repeating it is safe.
 */
export interface RelayStore
  extends
    DirectoryStore,
    EntryStore,
    DataStore,
    BlobIndex,
    WipeStore,
    AccessStore,
    MailStore,
    PreKeyStore,
    SessionStore,
    PushStore,
    NodeStore {
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

  /** Keeps a challenge until it is taken or forgotten. */
  putChallenge(challenge: StoredChallenge): Promise<void>;
  /** Uses up a challenge. True for one caller only, and only for its subject before its time is over. */
  takeChallenge(challenge: Omit<StoredChallenge, 'expiresMs'>, nowMs: number): Promise<boolean>;
  /** Deletes challenges and sessions that were over before `nowMs`: whoever is hit by a wrong clock logs in again. */
  forgetLogins(nowMs: number): Promise<void>;
  /**
   * Deletes access requests, mail and pre-keys that expired before `nowMs`, and unlock shares that are over. Nobody has
   * another copy of these: ask only by a clock that is right.
   */
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

/** A login challenge that was given out. */
export interface StoredChallenge {
  readonly org: OrgId;
  /** 32 bytes. */
  readonly challenge: Uint8Array;
  readonly subject: Subject;
  readonly expiresMs: number;
}
