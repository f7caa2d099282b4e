import { equalBytes, readUint64, type Primitives } from '@keytide/crypto-core';
import { DirectoryError, inDirectoryTerms } from '../errors.ts';
import { COSIGNATURE_BYTES, cosignedBytes } from './cosignature.ts';
import { keyIdOf, type NoteKey } from './key.ts';
import type { NoteSignature, SignedNote } from './note.ts';

/** A signature that holds. */
export interface VerifiedSignature {
  readonly key: NoteKey;
  /** When it was made, in seconds since 1970, by its maker's clock; `null` where the kind tells no time. */
  readonly timeSeconds: number | null;
}

/** What became of a note's signatures. */
export interface VerifiedNote {
  readonly verified: readonly VerifiedSignature[];
  /** How many are by keys that were not given: they count for nothing. */
  readonly unknown: number;
}

/**
 * Checks the signatures by the given keys and ignores the others. A key is known by its name and its id
 * together; a signature in the name of a known key that does not hold spoils the note.
 * @throws DirectoryError `bad-signature`, `bad-key`; `malformed` for a key that is none
 */
export function verifyNote(primitives: Primitives, note: SignedNote, keys: readonly NoteKey[]): VerifiedNote {
  const known = keys.map((key) => ({ key, keyId: keyIdOf(primitives, key) }));
  const verified: VerifiedSignature[] = [];
  let unknown = 0;
  for (const line of note.signatures) {
    const candidates = known.filter(({ key, keyId }) => key.name === line.name && keyId === line.keyId);
    if (candidates.length === 0) {
      unknown += 1;
      continue;
    }
    const found = firstThatHolds(
      primitives,
      note,
      line,
      candidates.map(({ key }) => key),
    );
    if (found === null) throw new DirectoryError('bad-signature', 'a known key has not signed this note');
    verified.push(found);
  }
  return { verified, unknown };
}

/** Different keys of one name can share an id of four bytes. */
function firstThatHolds(
  primitives: Primitives,
  note: SignedNote,
  line: NoteSignature,
  keys: readonly NoteKey[],
): VerifiedSignature | null {
  for (const key of keys) {
    const verifier = inDirectoryTerms(() => primitives.verifier(key.publicKey));
    if (key.type === 'signature') {
      if (verifier.verify(note.bytes, line.signature)) return { key, timeSeconds: null };
      continue;
    }
    if (line.signature.length !== COSIGNATURE_BYTES) continue;
    const timeSeconds = readUint64(line.signature, 0);
    if (timeSeconds === null) continue;
    const signed = cosignedBytes(note.bytes, timeSeconds);
    if (verifier.verify(signed, line.signature.subarray(8))) return { key, timeSeconds };
  }
  return null;
}

/** Whether two keys are one: the name is not asked, since a cosignature does not name its maker. */
export function isSameKey(a: NoteKey, b: NoteKey): boolean {
  return a.type === b.type && equalBytes(a.publicKey, b.publicKey);
}
