export { assertAdmissible, MAX_AHEAD_MS } from './admission.ts';
export {
  assertSameHistory,
  checkpointOf,
  verifyCheckpoint,
  type Checkpoint,
  type LogStretch,
} from './checkpoint.ts';
export type { BodyOf, DeviceKeys, EntryBody, EntryKind, WipeTarget } from './entry-body.ts';
export { MAX_ENTRY_BYTES, parseEntry, type Entry, type EntryFields, type EntrySignature } from './entry.ts';
export { DirectoryError, type DirectoryErrorCode } from './errors.ts';
export { inviteId, inviteIdOf, type InviteId } from './invite-id.ts';
export { adminsNeeded, type ApprovalAct, type Policy } from './policy.ts';
export { recipientsOf, type GroupDevice } from './recipients.ts';
export { applyEntry, everyoneGroup, replay } from './replay.ts';
export { ROLES, type Role } from './role.ts';
export { MAX_ACTIVE_DEVICES } from './rules/device.ts';
export {
  isActive,
  isInviteOpen,
  wasActive,
  type Device,
  type DirectoryFacts,
  type DirectoryState,
  type Invite,
  type Member,
} from './state.ts';
