import type { DeviceId, MemberId, OrgId } from '@keytide/crypto-core';

/** Which blob: every organisation has ids of its own. */
export interface BlobName {
  readonly org: OrgId;
  /** 32 bytes as hex. */
  readonly id: string;
}

/** Which blobs a relay has, and how far each has come (docs/spec/attachment.md). Their bytes are in a `BlobStore`. */
export interface BlobIndex {
  /** Makes room for a blob; `started` also when the same device asked for the same size before. */
  startBlob(start: BlobStart): Promise<'started' | 'blob-taken' | 'quota-exceeded'>;
  /** What is known of a blob, or `null`. */
  readBlob(blob: BlobName): Promise<StoredBlob | null>;
  /** Says that bytes are safe up to `to`. False, and nothing done, unless they were up to `from`. */
  growBlob(blob: BlobName, growth: { from: number; to: number; nowMs: number }): Promise<boolean>;
  /** The organisations that have blobs. */
  listBlobOrgs(): Promise<readonly OrgId[]>;
  /** Blobs to forget: whole ones that became so before `wholeBeforeMs`, others begun before `begunBeforeMs`; at most 1000. */
  listOldBlobs(
    org: OrgId,
    before: { wholeBeforeMs: number; begunBeforeMs: number },
  ): Promise<readonly BlobName[]>;
  /** What whole blobs come to that became so in this time. */
  sumWhole(org: OrgId, time: { fromMs: number; beforeMs: number }): Promise<HeldBlobs>;
  /** Notes how many bytes an organisation has that are kept because they are not exported, for whoever looks at the database. */
  noteHeld(org: OrgId, sizeBytes: number): Promise<void>;
  /** Forgets a blob, so that its room is free. */
  forgetBlob(blob: BlobName): Promise<void>;
  /** Whether a restore has left bytes behind that this index does not have. */
  isDropDue(): Promise<boolean>;
  /** They are gone. */
  dropDone(): Promise<void>;
}

/** A blob that is to be uploaded. */
export interface BlobStart extends BlobName {
  readonly device: DeviceId;
  /** Whose device it is. */
  readonly member: MemberId;
  readonly sizeBytes: number;
  readonly nowMs: number;
  /** What all blobs of the organisation may count for, and those of one member. */
  readonly mostBytes: number;
  readonly mostBytesOfMember: number;
}

/** Blobs whose time is over, and that are kept. */
export interface HeldBlobs {
  readonly count: number;
  readonly sizeBytes: number;
}

/** How far a blob has come; whole when `receivedBytes` is `sizeBytes`. */
export interface StoredBlob {
  /** Who uploads it. */
  readonly device: DeviceId;
  readonly sizeBytes: number;
  readonly receivedBytes: number;
  /** When its upload began; of a whole one, when it became whole. */
  readonly touchedMs: number;
}
