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
export type { CheckpointFork, ForkProof, LogFork } from './evidence/fork-proof.ts';
export { MAX_FORK_PROOF_BYTES, parseForkProof } from './evidence/fork-proof.ts';
export type { ForkVerdict } from './evidence/fork-verdict.ts';
export { proveFork } from './evidence/prove-fork.ts';
export { verifyForkProof } from './evidence/verify-fork.ts';
export type { IdMap } from './id-map.ts';
export { inviteId, inviteIdOf, type InviteId } from './invite-id.ts';
export { mapRoot, type MapItem } from './map/build.ts';
export {
  parseDeviceHead,
  parseMemberHead,
  parseOrganisationHead,
  sealingHash,
  type DeviceHead,
  type MemberHead,
  type OrganisationHead,
} from './map/head.ts';
export { changedHeads, headsOf } from './map/heads.ts';
export { deviceKey, memberKey, organisationKey } from './map/key.ts';
export { MAX_LOOKUP_BYTES, proveLookup, verifyLookup } from './map/lookup.ts';
export { EMPTY_MAP_ROOT, type NodeSource, type StoredNode } from './map/node.ts';
export { updateMap, type MapUpdate } from './map/update.ts';
export {
  checkpointText,
  orgOf,
  originOf,
  parseCheckpointText,
  type LogCheckpoint,
} from './note/checkpoint-text.ts';
export { cosignature, logNoteKey, logSignature } from './note/cosignature.ts';
export {
  deviceNoteKey,
  deviceNoteName,
  noteKeyText,
  parseNoteKey,
  type NoteKey,
  type NoteKeyType,
} from './note/key.ts';
export { assembleNote, MAX_NOTE_BYTES, parseNote, type NoteSignature, type SignedNote } from './note/note.ts';
export { verifyNote, type VerifiedNote, type VerifiedSignature } from './note/verify-note.ts';
export { witnessesOf, type Witness, type WitnessPolicy, type WitnessVerdict } from './note/witnesses.ts';
export { adminsNeeded, type ApprovalAct, type Policy } from './policy.ts';
export {
  archiveOf,
  epochRecipientsOf,
  recipientsOf,
  type ArchiveOf,
  type GroupDevice,
} from './recipients.ts';
export { replayKnown } from './replay-known.ts';
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
  type PublishedPeriod,
} from './state.ts';
export { verifyConsistency } from './tree/consistency.ts';
export { entryBundle, parseEntryBundle } from './tree/entry-bundle.ts';
export type { HashSource, HashTileName } from './tree/hash-source.ts';
export { verifyInclusion, type InclusionClaim } from './tree/inclusion.ts';
export { proveConsistency, proveInclusion, treeRoot } from './tree/prove.ts';
export { parseTilePath, TILE_WIDTH, tilePath, type Tile, type TileName } from './tree/tile.ts';
export { appendToTiles, EMPTY_EDGE, readEdge, type TileEdge } from './tree/tile-writer.ts';
export {
  parseDeletionStatement,
  signDeletionStatement,
  verifyDeletionStatement,
  type DeletionStatement,
} from './deletion-statement.ts';
export { parseExportStatement, verifyExportStatement, type ExportStatement } from './export-statement.ts';
export { verifyWipeReceipt, parseWipeReceipt, type WipeReceipt } from './wipe-receipt.ts';
