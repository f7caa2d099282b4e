export {
  createAccessAnswer,
  MAX_ACCESS_ANSWER_BYTES,
  MAX_REFUSAL_CHARACTERS,
  openAccessAnswer,
  parseAccessAnswer,
  verifyAccessAnswer,
  type AccessAnswer,
  type AccessVerdict,
  type GrantedKey,
  type OpenedAccessAnswer,
} from './access/answer.ts';
export {
  createAccessRequest,
  MAX_ACCESS_REQUEST_BYTES,
  MAX_REQUESTED_EPOCHS,
  parseAccessRequest,
  verifyAccessRequest,
  type AccessRequest,
  type AccessRequestFields,
} from './access/request.ts';
export { openAttachmentChunk } from './attachment/chunk.ts';
export { contentCheck, type ContentCheck } from './attachment/describes.ts';
export {
  encodeAttachmentDescriptor,
  parseAttachmentDescriptor,
  type AttachmentDescriptor,
} from './attachment/descriptor.ts';
export {
  chunkCount,
  ciphertextBytes,
  ciphertextRange,
  MAX_ATTACHMENT_BYTES,
  type AttachmentSize,
  type CiphertextRange,
  type ContentRange,
} from './attachment/layout.ts';
export { openAttachment, type AttachmentOpener } from './attachment/open.ts';
export { openAttachmentRange } from './attachment/open-range.ts';
export {
  resumeSealing,
  sealAttachment,
  type AttachmentSealer,
  type SealAttachmentInput,
} from './attachment/seal.ts';
export { openingStream, sealingStream, type BytesTransform } from './attachment/streams.ts';
export { BOX_OVERHEAD_BYTES, MAX_BOX_BYTES, openBox, sealBox } from './box.ts';
export {
  asciiBytes,
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  readUint64,
  toBase64Url,
  toHex,
  uint32Bytes,
  uint64Bytes,
} from './bytes.ts';
export { decodeCbor, encodeCbor, type CborValue } from './cbor.ts';
export { acceptMessage, type Acceptance, type MissingRun, type SenderHead } from './chain.ts';
export {
  closingOfMessage,
  compareClosing,
  type ClosingDifference,
  type Contradiction,
  type HeldLog,
  type MissingMessages,
} from './compare-closing.ts';
export { createEpoch, type CreatedEpoch, type CreateEpochInput } from './create-epoch.ts';
export {
  ABILITY_LIBSIGNAL,
  createSealingRecord,
  encodeDeviceRecord,
  parseDeviceRecord,
  parseSealingRecord,
  verifySealingRecord,
  type DeviceRecord,
  type SealingRecord,
} from './device-record.ts';
export { MAX_EPHEMERAL_AGE_MS, type EphemeralBody, type EphemeralKind } from './ephemeral/body.ts';
export { MAX_EPHEMERAL_BYTES, type EphemeralMessage } from './ephemeral/frame.ts';
export { closingOfHeartbeat, encodeHeartbeat, readHeartbeat, type Heartbeat } from './ephemeral/heartbeat.ts';
export {
  ephemeralWindow,
  receiveEphemeral,
  type EphemeralWindow,
  type ReceivedEphemeral,
  type ReceiveEphemeralInput,
} from './ephemeral/receive.ts';
export {
  startEphemeralSession,
  type EphemeralSession,
  type EphemeralSessionInput,
} from './ephemeral/session.ts';
export { openMessage, sealMessage, type SealedMessage, type SealMessageInput } from './envelope.ts';
export { MAX_ENVELOPE_BYTES, parseEnvelopeHeader, type EnvelopeHeader } from './envelope-header.ts';
export { openEpochBox, type EpochBox } from './epoch-box.ts';
export { openEpoch, type EpochKeys, type OpenEpochInput } from './epoch-keys.ts';
export {
  MAX_STATEMENT_BYTES,
  parseEpochStatement,
  type Checkpoint,
  type Closing,
  type EpochReason,
  type EpochStatement,
  type EpochStatementFields,
  type SenderClosing,
} from './epoch-statement.ts';
export { CryptoError, type CryptoErrorCode } from './errors.ts';
export { labelledHash } from './hash.ts';
export { hkdf, hkdfExpand, hkdfExtract, type HkdfInput } from './hkdf.ts';
export {
  deviceId,
  deviceIdOf,
  entryHash,
  groupId,
  idBytes,
  memberId,
  orgId,
  type DeviceId,
  type EntryHash,
  type GroupId,
  type MemberId,
  type OrgId,
} from './ids.ts';
export { keyCommitment, verifyCommitment, type EpochName } from './key-commitment.ts';
export type { KeyStore, KeyStoreChange } from './key-store.ts';
export { labelled, type Label } from './labels.ts';
export { memoryKeyStore } from './memory-key-store.ts';
export { appendLeaf, EMPTY_FRONTIER, leafHash, nodeHash, rootOf, type MerkleFrontier } from './merkle.ts';
export type { Heads, MessageBody } from './message-body.ts';
export { pad, padmeSize, unpad } from './padme.ts';
export { boxChannel } from './pairwise/box-channel.ts';
export { sealingKeyId } from './pairwise/box-message.ts';
export {
  MAX_PAIRWISE_BYTES,
  type Keep,
  type PairwiseChannel,
  type PairwiseKind,
} from './pairwise/channel.ts';
export { choosePairwise } from './pairwise/choose.ts';
export {
  pairwiseEndpoint,
  type PairwiseEndpoint,
  type PairwiseInput,
  type PairwisePeer,
} from './pairwise/endpoint.ts';
export { isSameSafetyNumber, safetyNumber, type SafetyNumber } from './pairwise/safety-number.ts';
export { forgetSeenMessages } from './pairwise/seen.ts';
export { MAX_PAIRWISE_WIRE_BYTES, parsePairwiseKind, type WireKind } from './pairwise/wire.ts';
export type {
  AeadInput,
  Decapsulator,
  Encapsulator,
  Primitives,
  Random,
  Signer,
  Verifier,
} from './primitives.ts';
export { combineWithoutSet } from './quorum/combine-without-set.ts';
export { combineShares, examineShares, type ExaminedShares, type RefusedShare } from './quorum/combine.ts';
export {
  dealQuorum,
  redealQuorum,
  type DealQuorumInput,
  type DealtQuorum,
  type RedealQuorumInput,
} from './quorum/deal.ts';
export { publicKeyFingerprint, secretFingerprint, type QuorumSecretKind } from './quorum/fingerprint.ts';
export { printShare, readPrintedShare } from './quorum/printed-share.ts';
export {
  MAX_QUORUM_SET_BYTES,
  parseQuorumSet,
  verifyQuorumSet,
  type QuorumHolder,
  type QuorumSet,
  type QuorumSetExpectation,
  type QuorumSetFields,
} from './quorum/set.ts';
export { archiveRecipient, recipientsHash, type Recipient } from './recipients.ts';
export {
  settleRun,
  verifyRuns,
  type Noted,
  type RunVerdict,
  type Settlement,
  type Unvouched,
} from './run.ts';
export { EMPTY_WINDOW, nextWindow, type RunWindow } from './run-window.ts';
export {
  requireNextSealingRecord,
  boxRecordsAt,
  sealingKeysToDelete,
  sealingRecordAt,
  type AddressedBox,
  type SealingChoice,
  type SealingKeysInput,
  type SealingTimes,
} from './sealing-keys.ts';
export { Secret } from './secret.ts';
export { signBytes, verifyBytes } from './sign.ts';
export { sorted } from './sorted.ts';
export { unsealMessage, type OpenedMessage, type UnverifiedMessage } from './unseal.ts';
export type { Prove, UnlockShareSource } from './vault/vault-key.ts';
export type { Vault } from './vault/vault-key-store.ts';
export { decodeUtf8, encodeUtf8 } from './utf8.ts';
export { verifyEpochStatement, type EpochExpectation, type PreviousEpoch } from './verify-epoch.ts';
