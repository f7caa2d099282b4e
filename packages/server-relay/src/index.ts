export type {
  AccessRequestsPage,
  AccessStore,
  StoredAccessAnswer,
  StoredAccessRequest,
} from './access-store.ts';
export type { BlobIndex, BlobName, BlobStart, HeldBlobs, StoredBlob } from './blob-index.ts';
export { folderBlobStore, memoryBlobStore, type BlobStore } from './blob-store.ts';
export type { Clock } from './clock.ts';
export type {
  AtRestBytes,
  DataStore,
  DocumentPut,
  StoredDataKey,
  StoredDocument,
  StoredDocuments,
  SystemPlace,
} from './data-store.ts';
export type { MailPage, MailPut, MailStore, StoredMail } from './mail-store.ts';
export type { PreKeyPut, PreKeyStore, StoredPreKeys } from './pre-key-store.ts';
export type {
  DirectoryStore,
  LogGrowth,
  SealingRecordAddition,
  SealingRecordsPage,
  StoredCheckpoint,
  StoredCosignature,
  StoredSealingRecord,
  TreeHash,
} from './directory-store.ts';
export { dataKeyPath, openDataKeyFile } from './data-key-file.ts';
export type {
  Announcement,
  AppendVerdict,
  BoxPlace,
  DayTree,
  EntryStore,
  EnvelopeAppend,
  Filed,
  FiledBox,
  FiledEntry,
  FiledFloor,
  FiledPage,
  FiledStatement,
  Filing,
  FilingVerdict,
  FloorMove,
  ForgottenStretch,
  KeptFloor,
  LogDay,
  StoredDeletion,
  StoredExport,
} from './entry-store.ts';
export { RelayError, type RelayErrorCode } from './errors.ts';
export { awsKmsKeyWrapper, type AwsKmsOptions } from './keys/aws-kms.ts';
export { awsCredentials, type AwsCredentialOptions } from './keys/aws-credentials.ts';
export type { AwsAccess } from './keys/aws-service.ts';
export { checkKeyWrapper } from './keys/check-key-wrapper.ts';
export { keyRing } from './keys/key-ring.ts';
export { rewrapKeys, type RewrapOptions, type RewrapProgress, type RewrapResult } from './keys/rewrap.ts';
export { secretReader, secretText, type ReadSecret, type SecretSources } from './keys/secrets.ts';
export { CALL_LIMITS, type CallLimits } from './keys/service-call.ts';
export type { AwsCredentials } from '@keytide/crypto-core/node';
export {
  s3Bucket,
  type PutCondition,
  type S3Access,
  type S3Bucket,
  type S3Object,
} from './keys/s3-bucket.ts';
export { openVault, type Vault, type VaultOptions } from './keys/vault.ts';
export { vaultTransitKeyWrapper, type VaultTransitOptions } from './keys/vault-transit.ts';
export { localKeyWrapper, type KeyWrapper } from './key-wrapper.ts';
export { DEFAULT_LIMITS, type RelayLimits } from './limits.ts';
export type { Log, LogEvent } from './log-event.ts';
export { killSessions } from './kill.ts';
export { s3BlobStore } from './s3-blob-store.ts';
export type {
  LiveSessions,
  NewSession,
  RefreshedSession,
  SessionRefresh,
  SessionStore,
  SessionsToEnd,
  StoredSession,
} from './session-store.ts';
export type { ExpoOptions } from './push/expo.ts';
export type { PushOptions } from './push/senders.ts';
export type { Push, PushFailure, PushOutcome, PushSender } from './push/sender.ts';
export type {
  ClaimedPush,
  PresenceChange,
  PushStore,
  PushTimes,
  StoredPushRegistration,
} from './push/store.ts';
export type { GroupHead, GroupPlace, NodeRenewal, NodeStore, OrgHead, RelayNode } from './node-store.ts';
export type { ClusterOptions, DatabaseOptions } from './sql/database-options.ts';
export { openStore, type OpenedStore } from './sql/open.ts';
export type { Relay, RelayOptions } from './relay.ts';
export { startRelay } from './start-relay.ts';
export type { Genesis, LogAddition, LogPage, RelayStore, StoredChallenge } from './store.ts';
export type {
  StoredUnlockShare,
  StoredWipeReceipt,
  UnlockAttempt,
  UnlockChance,
  UnlockRenewal,
  WipeStore,
  WrongAttempts,
} from './wipe-store.ts';
export type { KeyPlace, WrappedKey, WrappedKeys, Wrapping } from './wrapped-keys.ts';
