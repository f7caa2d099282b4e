import { equalBytes, type OrgId, type Primitives } from '@keytide/crypto-core';
import {
  DirectoryError,
  logNoteKey,
  originOf,
  parseCheckpointText,
  parseNote,
  verifyNote,
  type LogCheckpoint,
  type NoteKey,
} from '@keytide/key-directory';
import { ClientError } from './errors.ts';

/** A checkpoint of this organisation's log that its relay signed. Says what the relay says, not what is true. */
export interface SignedCheckpoint extends LogCheckpoint {
  /** The signed note, as it travelled. */
  readonly note: Uint8Array;
  /** The key under which the signature holds. */
  readonly key: NoteKey;
}

/**
 * Reads a note as a checkpoint of `org`'s log signed with `relayKey` (Ed25519, 32 bytes); cosignatures are not
 * looked at (docs/spec/transparency.md, Checkpoints).
 * @throws ClientError `relay-misbehaved` for anything else
 */
export function openCheckpoint(
  primitives: Primitives,
  org: OrgId,
  relayKey: Uint8Array,
  note: Uint8Array,
): SignedCheckpoint {
  const origin = originOf(org);
  const key = logNoteKey(origin, relayKey);
  try {
    const parsed = parseNote(note);
    const isSigned = verifyNote(primitives, parsed, [key]).verified.length > 0;
    const checkpoint = parseCheckpointText(parsed.text);
    // The signature is over the text alone, so a checkpoint of another log could come under this log's name.
    if (isSigned && checkpoint.origin === origin) return { ...checkpoint, note, key };
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    throw new ClientError('relay-misbehaved', 'the relay shows a checkpoint that is none', { cause });
  }
  throw new ClientError('relay-misbehaved', 'the relay shows a checkpoint that its key did not sign');
}

/** Whether two checkpoints say the same of log and map. */
export function isSameCheckpoint(a: LogCheckpoint, b: LogCheckpoint): boolean {
  if (a.size !== b.size || !equalBytes(a.root, b.root)) return false;
  return a.mapRoot === null || b.mapRoot === null
    ? a.mapRoot === b.mapRoot
    : equalBytes(a.mapRoot, b.mapRoot);
}
