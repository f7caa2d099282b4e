export { openAge, sealAge, type AgeIdentities, type AgeRecipients } from './age/age-file.ts';
export type { Stanza } from './age/header.ts';
export { hybridIdentity, type AgeIdentity } from './age/hybrid.ts';
export { printIdentity, printRecipient, readIdentity, readRecipient } from './age/keys.ts';
export type { JsonValue } from './container/content.ts';
export type { ArchiveFiles, ByteStream, Destination, FileDigest } from './container/destination.ts';
export type { ArchiveFilter } from './container/filter.ts';
export { attachmentsIn, attachmentsInPayload } from './container/named-attachments.ts';
export {
  parseSignedManifest,
  type ArchivedGroup,
  type ArchiveManifest,
  type ManifestSignature,
  type SignedManifest,
} from './container/signed-manifest.ts';
export { addApproval, adminsWhoSigned, approvalUnder } from './approve.ts';
export { ArchiveError, type ArchiveErrorCode } from './errors.ts';
export { exportArchive, type ExportedArchive } from './export/export-archive.ts';
export type { ExportOptions, ExportProgress } from './export/export-options.ts';
export type {
  ArchiveBox,
  EpochKey,
  ExportSource,
  NamedAttachment,
  SourceEntry,
  SourceGroup,
} from './export/source.ts';
export { keySetIn, readArchiveKeySet } from './open/archive-key-set.ts';
export {
  readArchive,
  type ArchiveDamage,
  type ArchivedMember,
  type OpenedArchive,
  type ReadOptions,
} from './open/read-archive.ts';
export type {
  LedgerAcknowledgement,
  LedgerArchive,
  LedgerAuthor,
  LedgerDeletion,
  LedgerFinding,
  LedgerFindingCode,
  LedgerRow,
  LedgerState,
  RetentionLedger,
} from './retention/ledger.ts';
export type {
  GivenArchive,
  HeldAttachments,
  LedgerDirectory,
  LedgerLog,
  LedgerMaterial,
  LogBlock,
  RelayWord,
} from './retention/material.ts';
export { retentionLedger } from './retention/retention-ledger.ts';
export {
  readArchiveStats,
  readSignedManifest,
  type ArchiveStats,
  type CodeCounts,
  type GroupStats,
  type VerifiedArchive,
} from './stats.ts';
export type { VerifyProgress } from './verify/check.ts';
export type { Proven } from './verify/completeness.ts';
export type { DecryptionReport } from './verify/decryption.ts';
export type { Finding, FindingCode, VerifyLevel } from './verify/finding.ts';
export type { ApprovalCount } from './verify/membership.ts';
export type { ListedAttachment, ListedAttachments } from './verify/references.ts';
export type { Sample } from './verify/sample.ts';
export {
  verifyArchive,
  type ArchiveReport,
  type GroupReport,
  type VerifyOptions,
} from './verify/verify-archive.ts';
