import type { Primitives } from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import type { SignedManifest } from '../container/signed-manifest.ts';

/** A verified copy of the membership log. */
export interface LedgerDirectory {
  readonly size: number;
  readonly state: DirectoryState;
  /** The organisation as of the first `size` entries. */
  stateAt(size: number): DirectoryState;
  /** The entries from this index on, as they travelled. */
  wires(start: number): readonly Uint8Array[];
}

/** A stretch of the group's log, up to the next one: the block of the epoch statement that it begins with. */
export interface LogBlock {
  readonly firstSeq: number;
  /** Milliseconds since 1970; `null` where the statement is not there. */
  readonly startMs: number | null;
  readonly endMs: number | null;
}

/** What there is of the group's log. */
export interface LedgerLog {
  /** In their order; what comes before the first is known to nobody here. */
  readonly blocks: readonly LogBlock[];
  readonly throughSeq: number;
  /** The log's root after so many entries, 32 bytes; `null` where it is not known. */
  rootAt(seq: number): Uint8Array | null;
}

/** An archive, and what verifying it has come to: `verifyArchive` says it. */
export interface GivenArchive {
  readonly signed: SignedManifest;
  readonly verdict: 'sound' | 'unsound';
  /** Whether every byte was looked at, or its structure alone. */
  readonly isWhole: boolean;
}

/** What the relay answers, by its word alone. */
export interface RelayWord {
  /** The first seq that it has. */
  readonly firstSeq: number;
  /** Whether it has shown as many deletion statements as an answer holds: there may be older ones. */
  readonly isCut: boolean;
  /** The attachments that it keeps beyond Y because nobody has exported what may name them; `null`: it does not say. */
  readonly attachmentsHeld: HeldAttachments | null;
}

/** Attachments at the relay, in its ciphertext. */
export interface HeldAttachments {
  readonly count: number;
  readonly sizeBytes: number;
}

/** What a ledger is made from. Nothing that a relay has handed in is believed without a signature, but for `relay`. */
export interface LedgerMaterial {
  readonly primitives: Primitives;
  /** The time that decides what is due. */
  readonly nowMs: number;
  readonly directory: LedgerDirectory;
  readonly log: LedgerLog;
  readonly archives: readonly GivenArchive[];
  /** Export statements (docs/spec/release.md) from anywhere. */
  readonly exported: readonly Uint8Array[];
  /** Deletion statements from anywhere. */
  readonly deleted: readonly Uint8Array[];
  /** `null`: it was not asked. */
  readonly relay: RelayWord | null;
}
