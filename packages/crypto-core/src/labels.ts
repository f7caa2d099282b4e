import { asciiBytes, concatBytes } from './bytes.ts';

/**
 * Domain separation: every hash, signature and derivation starts with one of these, then a zero byte.
 * No label is used for two purposes, so bytes made for one can never be taken for another.
 */
const LABELS = {
  deviceId: 'keytide/v1/device-id',
  groupId: 'keytide/v1/group-id',
  channelId: 'keytide/v1/channel-id',
  entry: 'keytide/v1/membership-entry',
  entrySignature: 'keytide/v1/membership-entry-signature',
  sealingRecordSignature: 'keytide/v1/sealing-record-signature',
  mapKey: 'keytide/v1/map-key',
  mapNode: 'keytide/v1/map-node',
  mapValue: 'keytide/v1/map-value',
  sealingRecord: 'keytide/v1/sealing-record',
  inviteId: 'keytide/v1/invite-id',
  inviteSignature: 'keytide/v1/invite-signature',
  recoverySignature: 'keytide/v1/recovery-signature',
  login: 'keytide/v1/login',
  box: 'keytide/v1/box',
  epochStatement: 'keytide/v1/epoch-statement',
  epochStatementSignature: 'keytide/v1/epoch-statement-signature',
  keyCommitment: 'keytide/v1/key-commitment',
  recipients: 'keytide/v1/recipients',
  archiveRecipient: 'keytide/v1/archive-recipient',
  senderSlot: 'keytide/v1/sender-slot',
  routing: 'keytide/v1/routing',
  channelKey: 'keytide/v1/channel-key',
  messageKey: 'keytide/v1/message-key',
  message: 'keytide/v1/message',
  messageSignature: 'keytide/v1/message-signature',
  link: 'keytide/v1/link',
  ephemeralKey: 'keytide/v1/ephemeral-key',
  ephemeral: 'keytide/v1/ephemeral',
  ephemeralSignature: 'keytide/v1/ephemeral-signature',
  sealingKeyId: 'keytide/v1/sealing-key-id',
  pairwise: 'keytide/v1/pairwise',
  pairwiseSignature: 'keytide/v1/pairwise-signature',
  pairwiseSession: 'keytide/v1/pairwise-session',
  sessionMessageSignature: 'keytide/v1/session-message-signature',
  preKeyBundleSignature: 'keytide/v1/pre-key-bundle-signature',
  oneTimePreKeySignature: 'keytide/v1/one-time-pre-key-signature',
  safetyNumber: 'keytide/v1/safety-number',
  vaultKey: 'keytide/v1/vault-key',
  unlockProof: 'keytide/v1/unlock-proof',
  unlockVerifier: 'keytide/v1/unlock-verifier',
  wipeReceiptSignature: 'keytide/v1/wipe-receipt-signature',
  exportStatementSignature: 'keytide/v1/export-statement-signature',
  exportProgressSignature: 'keytide/v1/export-progress-signature',
  archiveManifestSignature: 'keytide/v1/archive-manifest-signature',
  deletionStatementSignature: 'keytide/v1/deletion-statement-signature',
  aggregateRelease: 'keytide/v1/aggregate-release',
  attachmentChunk: 'keytide/v1/attachment-chunk',
  quorumSet: 'keytide/v1/quorum-set',
  quorumSetSignature: 'keytide/v1/quorum-set-signature',
  quorumShare: 'keytide/v1/quorum-share',
  quorumFingerprint: 'keytide/v1/quorum-fingerprint',
  wrappingKeyName: 'keytide/v1/wrapping-key-name',
  wrappedDataKey: 'keytide/v1/wrapped-data-key',
  dataName: 'keytide/v1/data-name',
  dataWriteKey: 'keytide/v1/data-write-key',
  dataAtRest: 'keytide/v1/data-at-rest',
  dayAtRest: 'keytide/v1/day-at-rest',
  accessRequest: 'keytide/v1/access-request',
  accessRequestSignature: 'keytide/v1/access-request-signature',
  accessAnswer: 'keytide/v1/access-answer',
  accessAnswerSignature: 'keytide/v1/access-answer-signature',
} as const;

/** The name of one label. */
export type Label = keyof typeof LABELS;

const PREFIXES = Object.fromEntries(
  Object.entries(LABELS).map(([name, text]) => [name, concatBytes(asciiBytes(text), Uint8Array.of(0))]),
) as Record<Label, Uint8Array>;

/** The label's ASCII bytes and a zero byte, then the parts. */
export function labelled(label: Label, ...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(PREFIXES[label], ...parts);
}
