export {
  accessAnswerRequest,
  accessAnswersResponse,
  accessRequestRequest,
  accessRequestResponse,
  accessRequestsQuery,
  accessRequestsResponse,
  doneResponse,
} from './access-bodies.ts';
export {
  blobId,
  blobProgressResponse,
  blobReadQuery,
  blobStartRequest,
  blobWriteQuery,
} from './blob-bodies.ts';
export {
  boxResponse,
  challengeRequest,
  challengeResponse,
  errorResponse,
  floorResponse,
  healthResponse,
  logAppendRequest,
  logAppendResponse,
  logQuery,
  logResponse,
  organisationRequest,
  organisationResponse,
  sessionRequest,
  type ErrorBody,
  type FloorBody,
  type Subject,
} from './bodies.ts';
export {
  decodeClientFrame,
  encodeClientFrame,
  type AddressedBox,
  type AppendItem,
  type ClientFrame,
} from './client-frames.ts';
export {
  collectionName,
  documentId,
  documentPutRequest,
  documentPutResponse,
  documentsQuery,
  documentsResponse,
  systemPutRequest,
  systemPutResponse,
  writers,
  type DocumentsBody,
  type Writers,
} from './data-bodies.ts';
export {
  checkpointQuery,
  cosignatureRequest,
  cosignatureResponse,
  cosignedResponse,
  lookupResponse,
  sealingRecordRequest,
  sealingRecordResponse,
  sealingRecordsQuery,
  sealingRecordsResponse,
  type SealingRecordsBody,
} from './directory-bodies.ts';
export { decodeFrameList, encodeFrameList, pollQuery } from './frame-list.ts';
export { enrolmentNonce, enrolmentResponse, type IdentityProvider } from './enrolment.ts';
export { ProtocolError, type ProtocolErrorCode } from './errors.ts';
export { encodeGroupEntry } from './group-entry.ts';
export {
  mailConfirmRequest,
  mailConfirmResponse,
  mailPageResponse,
  mailQuery,
  mailRequest,
  mailResponse,
  type MailPageBody,
} from './mail-bodies.ts';
export {
  preKeyOfferResponse,
  preKeysRequest,
  preKeysResponse,
  preKeyStockResponse,
} from './pre-key-bodies.ts';
export { exportRequest, exportResponse, retentionResponse, type RetentionBody } from './retention-bodies.ts';
export { LIMITS, PROTOCOL_VERSION } from './limits.ts';
export { loginBytes, type LoginClaim } from './login.ts';
export { pushOfferResponse, pushRequest, type PushKind } from './push-bodies.ts';
export { isRefusalCode, REFUSAL_CODES, type RefusalCode } from './refusal.ts';
export {
  decodeRelayFrame,
  encodeRelayFrame,
  type EntryKind,
  type GroupEntry,
  type HintTopic,
  type RelayFrame,
} from './relay-frames.ts';
export {
  endSessionsRequest,
  refreshRequest,
  sessionResponse,
  type SessionBody,
  type SessionsNamed,
} from './session-bodies.ts';
export {
  unlockAttemptsResponse,
  unlockDeleteResponse,
  unlockFetchRequest,
  unlockFetchResponse,
  unlockLeaseResponse,
  unlockRenewRequest,
  unlockShareRequest,
  wipeReceiptRequest,
  wipeReceiptResponse,
  wipeReceiptsQuery,
  wipeReceiptsResponse,
} from './wipe-bodies.ts';
