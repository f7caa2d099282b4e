import { asciiBytes, concatBytes, uint64Bytes, type Primitives, type Signer } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { checkpointText, type LogCheckpoint } from './checkpoint-text.ts';
import { deviceNoteKey, keyIdOf, type NoteKey } from './key.ts';
import type { NoteSignature } from './note.ts';

/** A time in eight bytes, then an Ed25519 signature. */
export const COSIGNATURE_BYTES = 72;

/** `cosignature/v1`, `time N`, and the checkpoint's text: what a cosignature signs (C2SP tlog-cosignature). */
export function cosignedBytes(text: Uint8Array, timeSeconds: number): Uint8Array {
  return concatBytes(asciiBytes(`cosignature/v1\ntime ${timeSeconds}\n`), text);
}

/**
 * A device's statement that it replayed the log to this checkpoint, computed both roots itself, and has seen
 * no larger tree and none that contradicts it. Signed with the device's signing key; docs/adr/0015.
 * @param timeSeconds now, in seconds since 1970
 * @throws DirectoryError `malformed` for what is no checkpoint or no time
 */
export function cosignature(
  primitives: Primitives,
  signer: Signer,
  checkpoint: LogCheckpoint,
  timeSeconds: number,
): NoteSignature {
  if (!Number.isSafeInteger(timeSeconds) || timeSeconds < 0)
    throw new DirectoryError('malformed', 'not a time in seconds');
  const key = deviceNoteKey(primitives, signer.publicKey);
  const signed = signer.sign(cosignedBytes(asciiBytes(checkpointText(checkpoint)), timeSeconds));
  const signature = concatBytes(uint64Bytes(timeSeconds), signed);
  return { name: key.name, keyId: keyIdOf(primitives, key), signature };
}

/**
 * The log's own signature, under its origin as name. The key signs nothing but checkpoints of logs.
 * @throws DirectoryError `malformed` for what is no checkpoint
 */
export function logSignature(
  primitives: Primitives,
  signer: Signer,
  checkpoint: LogCheckpoint,
): NoteSignature {
  const key = logNoteKey(checkpoint.origin, signer.publicKey);
  const signature = signer.sign(asciiBytes(checkpointText(checkpoint)));
  return { name: key.name, keyId: keyIdOf(primitives, key), signature };
}

/** The key with which a log's own signatures are checked. */
export function logNoteKey(origin: string, publicKey: Uint8Array): NoteKey {
  return { name: origin, type: 'signature', publicKey };
}
