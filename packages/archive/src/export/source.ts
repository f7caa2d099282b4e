import type { DeviceId, GroupId, MemberId, MerkleFrontier, OrgId, Secret } from '@keytide/crypto-core';
import type { Role } from '@keytide/key-directory';

/** One entry of a group's log, and what the source has found it to be. */
export type SourceEntry =
  | { readonly kind: 'statement'; readonly seq: number; /** As it travelled. */ readonly wire: Uint8Array }
  | {
      readonly kind: 'message';
      readonly seq: number;
      readonly envelope: Uint8Array;
      readonly epoch: number;
      readonly sender: DeviceId;
      readonly member: MemberId;
      /** The member's, as it counted for the message. */
      readonly role: Role;
      readonly counter: number;
      /** 16 bytes. */
      readonly channel: Uint8Array;
      readonly payload: Uint8Array;
      /** Why it counts for nothing by the application's rules: a code. */
      readonly invalid: string | null;
      /** The attachments that it names. */
      readonly attachments: readonly NamedAttachment[];
    }
  | {
      readonly kind: 'unreadable';
      readonly seq: number;
      readonly envelope: Uint8Array;
      /** The epoch that it names; `null` where it names none. */
      readonly epoch: number | null;
      /** Why: a code of docs/spec/errors.md. */
      readonly code: string;
    };

/** An attachment, as a message names it. */
export interface NamedAttachment {
  /** 64 hex digits. */
  readonly blob: string;
  /** Key, size and root of the ciphertext: docs/spec/attachment.md. Secret. */
  readonly descriptor: Uint8Array;
  readonly sizeBytes: number;
}

/** What a source has of one group's log. */
export interface SourceGroup {
  readonly group: GroupId;
  /** The log's tree before the first entry that the source has. */
  readonly before: MerkleFrontier;
  /** The newest epoch statement before that, as it travelled; `null` at the log's beginning. */
  readonly statementBefore: Uint8Array | null;
  /** The last entry that the source has; the size of `before` where it has none. */
  readonly throughSeq: number;
}

/** What only the archive key opens: an epoch's key, sealed to it when the epoch was made. */
export interface ArchiveBox {
  readonly epoch: number;
  readonly box: Uint8Array;
}

/** An epoch key that the source has. */
export interface EpochKey {
  readonly epoch: number;
  /** The hash of the epoch's statement, 32 bytes. */
  readonly statement: Uint8Array;
  /** 32 bytes. The reader does not dispose it. */
  readonly key: Secret;
}

/**
 * What an archive is made from: a device that is connected, what a device has stored, or another archive. It decides
 * what each entry is; the archive writes it down.
 */
export interface ExportSource {
  readonly org: OrgId;
  /** The membership log's entries as they travelled, from the genesis. */
  membership(): AsyncIterable<Uint8Array>;
  /** The newest signed note of the membership log; `null` where the source has none. */
  checkpoint(): Promise<Uint8Array | null>;
  /** The signed set of the archive key's shares (docs/spec/quorum.md); `null` where the source has none. */
  archiveKeySet(): Promise<Uint8Array | null>;
  groups(): Promise<readonly SourceGroup[]>;
  /** The entries from `fromSeq` up to `throughSeq`, every one of them, in order. */
  entries(group: GroupId, fromSeq: number, throughSeq: number): AsyncIterable<SourceEntry>;
  /** The epoch keys that it has now, in any order; one may come more than once. */
  epochKeys(group: GroupId): AsyncIterable<EpochKey>;
  /** The archive key's boxes that it has of these epochs, the oldest first. */
  archiveBoxes(group: GroupId, epochs: ReadonlySet<number>): AsyncIterable<ArchiveBox>;
  /**
   * An attachment's content, checked as docs/spec/attachment.md says before its end.
   * @throws whatever the source throws; `missingCodeOf` says whether it is gone for good
   */
  attachment(named: NamedAttachment): AsyncIterable<Uint8Array>;
  /** The code under which an attachment is listed as missing, or `null` for an error that ends the export. */
  missingCodeOf(error: unknown): string | null;
}
