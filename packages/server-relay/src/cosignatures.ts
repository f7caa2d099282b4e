import { equalBytes, type Primitives } from '@keytide/crypto-core';
import {
  assembleNote,
  deviceNoteKey,
  deviceNoteName,
  DirectoryError,
  MAX_AHEAD_MS,
  parseCheckpointText,
  parseNote,
  verifyNote,
  type Device,
  type NoteSignature,
  type SignedNote,
} from '@keytide/key-directory/verify';
import type { DirectoryStore, StoredCheckpoint, StoredCosignature } from './directory-store.ts';
import { RelayError } from './errors.ts';
import type { EnteredDevice } from './gate.ts';

/** What judging a cosignature takes. */
export interface CosignatureTools {
  readonly store: Pick<DirectoryStore, 'readCheckpoint' | 'putCosignature'>;
  readonly primitives: Primitives;
  readonly nowMs: number;
}

/**
 * Keeps the cosignature that a device, an admin's, hands in; the size of the log in its checkpoint. An older one
 * than the device has changes nothing. The note has the text of a checkpoint that this relay stored, and one
 * line beside those of the stored note: by the device itself.
 * @throws RelayError `malformed`, `too-large`; `entry-refused` with the reason
 * `unknown-checkpoint`, `wrong-device`, `bad-signature` or `time-ahead`
 */
export async function acceptCosignature(
  { store, primitives, nowMs }: CosignatureTools,
  { org, device }: Pick<EnteredDevice, 'org' | 'device'>,
  bytes: Uint8Array,
): Promise<number> {
  const { note, size } = readNote(bytes);
  const stored = await store.readCheckpoint(org, size);
  const known = stored === null ? null : parseNote(stored.note);
  if (known === null || known.text !== note.text) throw refused('unknown-checkpoint');
  const [line, ...more] = note.signatures.filter(
    (given) => !known.signatures.some((own) => isSame(own, given)),
  );
  if (line === undefined || more.length > 0) throw new RelayError('malformed', 'not one cosignature');
  if (line.name !== deviceNoteName(device.id)) throw refused('wrong-device');
  const timeSeconds = timeOf(primitives, { ...note, signatures: [line] }, device);
  if (timeSeconds * 1000 > nowMs + MAX_AHEAD_MS) throw refused('time-ahead');
  const { keyId, signature } = line;
  await store.putCosignature(org, size, { device: device.id, keyId, timeSeconds, signature });
  return size;
}

/** A stored checkpoint as it is handed out: the relay's signature, then the cosignatures. */
export function cosignedNote({ note, cosignatures }: StoredCheckpoint): Uint8Array {
  const { text, signatures } = parseNote(note);
  return assembleNote(text, [...signatures, ...cosignatures.map(lineOf)]);
}

function lineOf({ device, keyId, signature }: StoredCosignature): NoteSignature {
  return { name: deviceNoteName(device), keyId, signature };
}

function readNote(bytes: Uint8Array): { note: SignedNote; size: number } {
  try {
    const note = parseNote(bytes);
    return { note, size: parseCheckpointText(note.text).size };
  } catch (cause) {
    throw new RelayError('malformed', 'not a signed checkpoint', { cause });
  }
}

/** When the device says that it cosigned. @throws RelayError `entry-refused`, `bad-signature` */
function timeOf(primitives: Primitives, note: SignedNote, device: Device): number {
  try {
    const key = deviceNoteKey(primitives, device.signingPublicKey);
    const [verified] = verifyNote(primitives, note, [key]).verified;
    if (verified !== undefined && verified.timeSeconds !== null) return verified.timeSeconds;
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
  }
  throw refused('bad-signature');
}

function isSame(a: NoteSignature, b: NoteSignature): boolean {
  return a.name === b.name && a.keyId === b.keyId && equalBytes(a.signature, b.signature);
}

function refused(reason: string): RelayError {
  return new RelayError('entry-refused', `this cosignature is refused: ${reason}`, { reason });
}
