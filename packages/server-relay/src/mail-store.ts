import type { DeviceId, MemberId, OrgId } from '@keytide/crypto-core';

/** Where a relay keeps messages from one device to one other, until they are confirmed (docs/spec/mail.md). */
export interface MailStore {
  /**
   * Keeps a message under the next seq of its recipient's mailbox. `repeated`: the same id of the same sender is
   * there already, with the same bytes; `message-id-reused`, with others. `share-full`: of this member there are as
   * many as may be; `mailbox-full`: of all together.
   */
  putMail(put: MailPut): Promise<'stored' | 'repeated' | 'message-id-reused' | 'mailbox-full' | 'share-full'>;
  /** Messages to a device after a seq that are not over at `nowMs`, in order, as many as a page holds. */
  listMail(org: OrgId, recipient: DeviceId, afterSeq: number, nowMs: number): Promise<MailPage>;
  /** Forgets messages to this device; of seqs that are not there nothing happens. Its mail goes too when it loses its place. */
  confirmMail(org: OrgId, recipient: DeviceId, seqs: readonly number[]): Promise<void>;
}

/** One message on its way into a mailbox, and how many fit. */
export interface MailPut {
  readonly org: OrgId;
  readonly recipient: DeviceId;
  readonly sender: DeviceId;
  /** Whose device the sender is: all its devices count together. */
  readonly member: MemberId;
  /** 16 bytes. */
  readonly messageId: Uint8Array;
  readonly bytes: Uint8Array;
  readonly expiresMs: number;
  /** Messages in the mailbox, of everybody and of one member. */
  readonly most: number;
  readonly mostOfMember: number;
}

/** One message in a mailbox. */
export interface StoredMail {
  readonly seq: number;
  readonly sender: DeviceId;
  readonly bytes: Uint8Array;
}

/** Part of a mailbox; `more` says whether there is another part. */
export interface MailPage {
  readonly messages: readonly StoredMail[];
  readonly more: boolean;
}
