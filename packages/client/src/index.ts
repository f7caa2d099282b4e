export type { Access } from './access.ts';
export type { AccessEvent, AccessRange, AccessRequestView, OwnRequestView } from './access-view.ts';
export type { Act } from './acts.ts';
export type { ArchiveKeyHolders } from './archive-key.ts';
export { attachment, type AttachmentRef } from './attachment-ref.ts';
export type { AttachmentSource } from './attachment-source.ts';
export type { Attachments, DownloadOptions, UploadOptions } from './attachments.ts';
export type { AuditAlarm, AuditedEntry, AuditReport } from './audit.ts';
export { Client } from './client.ts';
export type { ClientOptions } from './client-options.ts';
export type { ClientEvents, StolenKey, Unreadable } from './client-events.ts';
export type { Body } from './body.ts';
export type { Collections, Declaration, Declarations } from './collection.ts';
export type { SyncState } from './connection.ts';
export { defineOrganisation, sensitive } from './declare.ts';
export {
  connect,
  createOrganisation,
  DEFAULT_POLICY,
  join,
  type CreateOrganisationOptions,
  type JoinOptions,
} from './enrol.ts';
export type { AccessNeed } from './entitlement.ts';
export type { Direct, DirectMessage, SentDirect } from './direct.ts';
export type { Lost } from './rewind.ts';
export type { RefusedDirect, UnreadableDirect } from './direct-mail.ts';
export { ClientError, type ClientErrorCode } from './errors.ts';
export type { Divergence, Missing, UnreadableCode } from './group-replica.ts';
export type { IdentityChange, OwnDevice } from './identity-watch.ts';
export type { AnswerRejection } from './judge-answer.ts';
export type { LeasePlace, TicketPlace } from './lease-place.ts';
export { memoryJournal, type Journal } from './journal.ts';
export { memoryDeviceStore } from './memory-device-store.ts';
export type { LiveCollection, LiveDeclaration, LiveItem, LiveOptions } from './live-collection.ts';
export type { LogCollection, LogDeclaration, LogItem } from './log-collection.ts';
export { openProvenDirectory, type ProvenDirectoryOptions } from './open-proven-directory.ts';
export type { Origin } from './origin.ts';
export {
  org,
  type IfVersion,
  type OrgChange,
  type OrgCollection,
  type OrgDeclaration,
  type OrgDocument,
} from './org-collection.ts';
export type { DeviceView, InviteView, MemberView } from './people.ts';
export type { Clock, DeviceStore, Ports } from './ports.ts';
export type { Push, PushOffer, PushTarget } from './push.ts';
export { REPLAY_LIMIT, type ProvenDirectory } from './proven-directory.ts';
export type { ProvenDevice, ProvenMember } from './proven-heads.ts';
export type {
  ImportProgress,
  RecordChange,
  RecordCollection,
  RecordDeclaration,
  RecordOptions,
  RecordView,
} from './record-collection.ts';
export type { RecordOperation } from './record-ledger.ts';
export type { Writer } from './record-rules.ts';
export type { Rejected, RejectionCode } from './rejection.ts';
export type { DueDay, Exported, RetentionDue } from './release.ts';
export type { CollectionOptions, ExportChoice, ShortenedRetention } from './retained.ts';
export type { ProposalView, ProposedInvite, Signatory } from './proposal.ts';
export { recoverOrganisation, type RecoverOptions } from './recover.ts';
export type { RequestRejection } from './read-request.ts';
export type { RelayAudit } from './relay-audit.ts';
export type { RefusedDocument } from './relay-data.ts';
export type { Sessions } from './sessions.ts';
export { system, type SystemCollection, type SystemDeclaration } from './system-collection.ts';
export { unlockShareFrom } from './unlock-share.ts';
export type { UnlockAttempts } from './membership.ts';
export type { WipeReceiptView } from './wipe-receipts.ts';
export type { AttachmentProgress } from './upload.ts';
export type { AdminWitness, Witnesses } from './witness-demand.ts';
export { CryptoError, type DeviceId, type MemberId, type OrgId } from '@keytide/crypto-core';
export {
  DirectoryError,
  type ArchiveKeySet,
  type InviteId,
  type Policy,
  type Role,
  type WipeTarget,
} from '@keytide/key-directory';
export type { IdentityWanted, Vouching } from './vouched.ts';
