export {
  adminsNeeded,
  appendToTiles,
  applyEntry,
  archiveOf,
  assembleNote,
  assertAdmissible,
  assertSameHistory,
  changedHeads,
  checkpointOf,
  checkpointText,
  cosignature,
  deviceKey,
  deviceNoteKey,
  deviceNoteName,
  DirectoryError,
  EMPTY_EDGE,
  EMPTY_MAP_ROOT,
  entryBundle,
  epochRecipientsOf,
  everyoneGroup,
  headsOf,
  inviteId,
  inviteIdOf,
  isActive,
  isInviteOpen,
  logNoteKey,
  logSignature,
  mapRoot,
  MAX_ACTIVE_DEVICES,
  MAX_AHEAD_MS,
  MAX_ENTRY_BYTES,
  MAX_FORK_PROOF_BYTES,
  MAX_LOOKUP_BYTES,
  MAX_NOTE_BYTES,
  memberKey,
  noteKeyText,
  organisationKey,
  orgOf,
  originOf,
  parseCheckpointText,
  parseDeviceHead,
  parseEntry,
  parseEntryBundle,
  parseForkProof,
  parseMemberHead,
  parseNote,
  parseNoteKey,
  parseOrganisationHead,
  parseTilePath,
  parseWipeReceipt,
  proveConsistency,
  proveFork,
  proveInclusion,
  proveLookup,
  readEdge,
  recipientsOf,
  replay,
  replayKnown,
  ROLES,
  sealingHash,
  TILE_WIDTH,
  tilePath,
  treeRoot,
  updateMap,
  verifyCheckpoint,
  verifyConsistency,
  parseDeletionStatement,
  parseExportStatement,
  signDeletionStatement,
  verifyDeletionStatement,
  verifyExportStatement,
  verifyForkProof,
  verifyInclusion,
  verifyLookup,
  verifyNote,
  verifyWipeReceipt,
  wasActive,
  witnessesOf,
  type ApprovalAct,
  type ArchiveOf,
  type BodyOf,
  type Checkpoint,
  type DeletionStatement,
  type CheckpointFork,
  type Device,
  type DeviceHead,
  type DeviceKeys,
  type DirectoryErrorCode,
  type DirectoryFacts,
  type DirectoryState,
  type Entry,
  type EntryBody,
  type EntryFields,
  type EntryKind,
  type EntrySignature,
  type ForkProof,
  type ForkVerdict,
  type GroupDevice,
  type HashSource,
  type HashTileName,
  type IdMap,
  type InclusionClaim,
  type Invite,
  type InviteId,
  type LogCheckpoint,
  type LogFork,
  type LogStretch,
  type MapItem,
  type MapUpdate,
  type Member,
  type MemberHead,
  type NodeSource,
  type NoteKey,
  type NoteKeyType,
  type NoteSignature,
  type OrganisationHead,
  type Policy,
  type PublishedPeriod,
  type Role,
  type SignedNote,
  type StoredNode,
  type Tile,
  type TileEdge,
  type TileName,
  type VerifiedNote,
  type VerifiedSignature,
  type WipeReceipt,
  type WipeTarget,
  type Witness,
  type WitnessPolicy,
  type WitnessVerdict,
} from './verify.ts';
export { encodeApproval, parseApproval } from './approval.ts';
export { isPublishablePeriod } from './publishable-period.ts';
export { createAggregatesEntry } from './builders/aggregates.ts';
export { approvalsFor, approveEntry, withApprovals, type Proposal } from './builders/approval.ts';
export { createDeletionReceipt } from './builders/deletion-receipt.ts';
export { publishKeys, type OwnDevice } from './builders/device-keys.ts';
export { createRevokeDevice } from './builders/device.ts';
export { createGenesis, newMemberId, type GenesisInput } from './builders/genesis.ts';
export { createGrantRecord } from './builders/grant.ts';
export {
  createDeviceInvite,
  createInvite,
  createRevokeInvite,
  type CreatedInvite,
} from './builders/invite.ts';
export {
  acceptDeviceInvite,
  acceptInvite,
  type AcceptDeviceInviteInput,
  type AcceptInviteInput,
} from './builders/join.ts';
export { createRemoveMember, createRoleChange } from './builders/member.ts';
export { createPolicyChange } from './builders/policy.ts';
export { createRecovery, type RecoveryInput } from './builders/recovery.ts';
export { signEntry, writeEntry, type WriteContext } from './builders/sign-entry.ts';
export { createWipe } from './builders/wipe.ts';
export { deviceClaim, joinClaim, recoveryClaim, type JoinClaim } from './claims.ts';
export { encodeEntry, encodeEntryWire } from './entry.ts';
export { encodeForkProof } from './evidence/prove-fork.ts';
export { assertHandle, isNormalisedHandle } from './handle.ts';
export { formatInviteLink, parseInviteLink, type InviteLink } from './invite-link.ts';
export { advanceAnchor } from './trust/advance.ts';
export {
  encodeAnchor,
  openMapNote,
  parseAnchor,
  settle,
  witnessedUntil,
  type Anchor,
} from './trust/anchor.ts';
export { auditPast, randomSize, type KnownHead } from './trust/audit.ts';
export type { Cosigner } from './trust/cosigners.ts';
export { readHeads, readKeys, type ProvenKeys } from './trust/read-heads.ts';
export {
  headKey,
  type HeadName,
  type MapCheckpoint,
  type ProofSource,
  type ProofTools,
} from './trust/source.ts';
export { anchorByInvite, type InvitedTo } from './trust/start.ts';
export { createExportStatement } from './export-statement.ts';
export { createWipeReceipt } from './wipe-receipt.ts';
export { judgeArchiveKeySet, type ArchiveKeySet } from './archive-key-set.ts';
