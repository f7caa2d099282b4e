import { asciiBytes, concatBytes, decodeUtf8, uint32Bytes } from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { fromBase64, toBase64 } from './base64.ts';

/** The longest note that is read. */
export const MAX_NOTE_BYTES: number = 128 * 1024;

/** As many signatures as a note may have, known or not. */
export const MAX_NOTE_SIGNATURES = 100;

/** A signature line: who says to have signed, and what. Nothing in it is true until `verifyNote` says so. */
export interface NoteSignature {
  readonly name: string;
  /** Four bytes that tell keys of one name apart, as a number. */
  readonly keyId: number;
  readonly signature: Uint8Array;
}

/** A text with its signatures (C2SP signed-note), read but not verified. */
export interface SignedNote {
  /** Ends in a newline. */
  readonly text: string;
  /** The exact bytes that are signed. */
  readonly bytes: Uint8Array;
  /** At least one. */
  readonly signatures: readonly NoteSignature[];
}

const NEWLINE = 0x0a;
/** An em dash and a space. */
const LINE_START = '\u2014 ';
const LINE_START_BYTES = Uint8Array.of(0xe2, 0x80, 0x94, 0x20);
/** White space of Unicode; a control character is refused before. */
const NAME = /^[^+\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/;

/**
 * Reads a note: UTF-8 without control characters, a text, an empty line, 1 to 100 signature lines, nothing after.
 * @throws DirectoryError `too-large`, `malformed`
 */
export function parseNote(note: Uint8Array): SignedNote {
  if (note.length > MAX_NOTE_BYTES) throw new DirectoryError('too-large', 'a note is too long');
  if (note.some((byte) => byte < 0x20 && byte !== NEWLINE)) throw malformed();
  const end = textEnd(note);
  const text = decodeUtf8(note.subarray(0, end));
  const tail = decodeUtf8(note.subarray(end + 1));
  if (text === null || tail === null) throw malformed();
  const lines = tail.split('\n');
  if (lines.pop() !== '' || lines.length === 0 || lines.length > MAX_NOTE_SIGNATURES) throw malformed();
  return { text, bytes: note.slice(0, end), signatures: lines.map(parseLine) };
}

/**
 * A note of a text (ASCII, ending in a newline) and signature lines, each of a name of printable ASCII.
 * @throws DirectoryError `malformed`, `too-large`: what `parseNote` would refuse is not written
 */
export function assembleNote(text: string, signatures: readonly NoteSignature[]): Uint8Array {
  const lines = signatures.flatMap(({ name, keyId, signature }) => [
    LINE_START_BYTES,
    asciiBytes(`${name} ${toBase64(concatBytes(uint32Bytes(keyId), signature))}\n`),
  ]);
  const note = concatBytes(asciiBytes(`${text}\n`), ...lines);
  parseNote(note);
  return note;
}

/** Where the text ends: behind the first newline of the last two that stand together. */
function textEnd(note: Uint8Array): number {
  for (let at = note.length - 1; at > 0; at -= 1) {
    if (note[at] === NEWLINE && note[at - 1] === NEWLINE) return at;
  }
  throw malformed();
}

function parseLine(line: string): NoteSignature {
  if (!line.startsWith(LINE_START)) throw malformed();
  const parts = line.slice(LINE_START.length).split(' ');
  const [name, encoded] = parts;
  if (parts.length !== 2 || name === undefined || !NAME.test(name)) throw malformed();
  const bytes = fromBase64(encoded as string);
  if (bytes === null || bytes.length < 5) throw malformed();
  const keyId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return { name, keyId, signature: bytes.slice(4) };
}

function malformed(): DirectoryError {
  return new DirectoryError('malformed', 'not a signed note');
}
