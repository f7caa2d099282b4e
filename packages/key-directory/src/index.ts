export {
  applyEntry,
  assertAdmissible,
  assertSameHistory,
  checkpointOf,
  DirectoryError,
  everyoneGroup,
  inviteId,
  inviteIdOf,
  isActive,
  isInviteOpen,
  MAX_ACTIVE_DEVICES,
  MAX_AHEAD_MS,
  MAX_ENTRY_BYTES,
  parseEntry,
  recipientsOf,
  replay,
  ROLES,
  verifyCheckpoint,
  wasActive,
  adminsNeeded,
  type ApprovalAct,
  type BodyOf,
  type Checkpoint,
  type Device,
  type DeviceKeys,
  type DirectoryErrorCode,
  type DirectoryFacts,
  type DirectoryState,
  type Entry,
  type EntryBody,
  type EntryFields,
  type EntryKind,
  type EntrySignature,
  type GroupDevice,
  type Invite,
  type InviteId,
  type LogStretch,
  type Member,
  type Policy,
  type Role,
  type WipeTarget,
} from './verify.ts';
export { approvalsFor, approveEntry, withApprovals, type Proposal } from './builders/approval.ts';
export { createDeletionReceipt } from './builders/deletion-receipt.ts';
export { publishKeys, type OwnDevice } from './builders/device-keys.ts';
export {
  createAddDevice,
  createDeviceRequest,
  createRevokeDevice,
  type DeviceRequest,
} from './builders/device.ts';
export { createGenesis, newMemberId, type GenesisInput } from './builders/genesis.ts';
export { createGrantRecord } from './builders/grant.ts';
export { createInvite, createRevokeInvite, type CreatedInvite } from './builders/invite.ts';
export { acceptInvite, type AcceptInviteInput } from './builders/join.ts';
export { createRemoveMember, createRoleChange } from './builders/member.ts';
export { createPolicyChange } from './builders/policy.ts';
export { createRecovery, type RecoveryInput } from './builders/recovery.ts';
export { signEntry, writeEntry, type WriteContext } from './builders/sign-entry.ts';
export { createWipe } from './builders/wipe.ts';
export { joinClaim, possessionClaim, recoveryClaim, type JoinClaim } from './claims.ts';
export { encodeEntry, encodeEntryWire } from './entry.ts';
export { assertHandle, isNormalisedHandle } from './handle.ts';
export { formatInviteLink, parseInviteLink, type InviteLink } from './invite-link.ts';
