import type { DeviceId, GroupId, MemberId, OrgId } from '@keytide/crypto-core';
import type { HeldAttachments } from './material.ts';

/** Who says something: a device, of a member who may have gone since. */
export interface LedgerAuthor {
  readonly device: DeviceId;
  readonly member: MemberId;
  readonly handle: string;
}

/** An archive that was given, and what it has of the group's log. */
export interface LedgerArchive {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** By the exporter's clock. */
  readonly createdMs: number;
  readonly by: LedgerAuthor | null;
  readonly firstSeq: number;
  readonly throughSeq: number;
  readonly isFiltered: boolean;
  /** Whether every byte was verified, or its structure alone. */
  readonly isWhole: boolean;
  /** Whether it counts: sound, by somebody who might, without a filter, of this log. */
  readonly counts: boolean;
}

/** A device's signed word that it has exported the log up to a seq. */
export interface LedgerAcknowledgement {
  readonly by: LedgerAuthor;
  readonly throughSeq: number;
  /** By that device's clock. */
  readonly exportedMs: number;
  /** Whether it was this log; `null` where its root is not known here. */
  readonly isOfLog: boolean | null;
  readonly wire: Uint8Array;
}

/** The relay's signed word that it has forgotten a part of the log. */
export interface LedgerDeletion {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** By the relay's clock. */
  readonly deletedMs: number;
  /** As of `LedgerAcknowledgement`. */
  readonly isOfLog: boolean | null;
  readonly wire: Uint8Array;
  /** SHA-256 of `wire`, 32 bytes: what it is called. */
  readonly hash: Uint8Array;
}

/** What became of a part of the log; docs/spec/retention-ledger.md. */
export type LedgerState = 'kept' | 'exported' | 'released' | 'waived' | 'deleted' | 'gone';

/** What can be found; docs/spec/retention-ledger.md, "Findings". */
export type LedgerFindingCode =
  | 'deleted-early'
  | 'deleted-unreleased'
  | 'deleted-unsaid'
  | 'deleted-unexported'
  | 'still-there'
  | 'receipt-other-log'
  | 'receipt-refused'
  | 'acknowledged-other-log'
  | 'acknowledgement-refused'
  | 'archive-other-log'
  | 'archive-refused'
  | 'overdue';

/** Something that is not as it is to be. */
export interface LedgerFinding {
  readonly code: LedgerFindingCode;
  /** A note is nothing that somebody has done wrong. */
  readonly weight: 'alarm' | 'note';
  /** What it rests on: what somebody has signed, which is in `evidence`, or the relay's answers. */
  readonly basis: 'signed' | 'word';
  /** Whom it is about. */
  readonly of: 'relay' | DeviceId;
  readonly firstSeq: number | null;
  readonly lastSeq: number | null;
  /** A code, of why something was refused. */
  readonly detail: string | null;
  readonly evidence: readonly Uint8Array[];
}

/** A part of the log of which everything has become the same. */
export interface LedgerRow {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The block in which it was written; `null` where nobody here knows. */
  readonly writtenFromMs: number | null;
  readonly writtenToMs: number | null;
  /** When the relay is to forget it, by the policy of now, or when it was to. */
  readonly dueMs: number | null;
  readonly state: LedgerState;
  /** What somebody is to do about it, now. */
  readonly todo: 'export' | 'acknowledge' | null;
  /** Those that have all of it, as places in the ledger's `archives`; the oldest first. */
  readonly archives: readonly number[];
  /** The first word of each member that it was exported. */
  readonly acknowledged: readonly LedgerAcknowledgement[];
  /** The entry of the membership log whose policy lets it go, or has, without an export; `null` for none. */
  readonly waivedBy: number | null;
  readonly deletion: LedgerDeletion | null;
  readonly findings: readonly LedgerFindingCode[];
}

/** What is due for export when, and what became of it. */
export interface RetentionLedger {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly madeMs: number;
  /** The present policy: Y, and whether what nobody has exported may go then. */
  readonly exportSeconds: number;
  readonly isWaived: boolean;
  /** Whether the relay was asked where its log begins. */
  readonly isRelayAsked: boolean;
  /** What the relay says that it keeps of attachments beyond Y, until what may name them is exported; `null`: nobody knows. */
  readonly attachmentsHeld: HeldAttachments | null;
  /** In their order; they cover the log without a gap. */
  readonly rows: readonly LedgerRow[];
  readonly archives: readonly LedgerArchive[];
  /** Those that count, the oldest first. */
  readonly acknowledgements: readonly LedgerAcknowledgement[];
  /** Those that the relay has signed, in the order of the log. */
  readonly deletions: readonly LedgerDeletion[];
  /** Alarms first. */
  readonly findings: readonly LedgerFinding[];
}
