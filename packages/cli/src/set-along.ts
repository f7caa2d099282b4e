import { keySetIn } from '@keytide/archive';
import { MAX_QUORUM_SET_BYTES } from '@keytide/crypto-core';
import { withArchive } from './archive-place.ts';
import { readFileBytes } from './file-bytes.ts';
import { readLogged, setRefusal, type SetJudge } from './known-set.ts';

/** A set of shares that may go along with an archive. */
export interface GivenSet {
  readonly wire: Uint8Array;
  /** Whether somebody named the very file: then it has to be right. */
  readonly isNamed: boolean;
}

/** The set in a file that is named, or the copy in the archive before. @throws CliError `file-unreadable`; what the place throws */
export async function givenSet(set: string | null, before: string | null): Promise<GivenSet | null> {
  if (set !== null) return { wire: await readFileBytes(set, MAX_QUORUM_SET_BYTES), isNamed: true };
  const wire = before === null ? null : await withArchive(before, keySetIn);
  return wire && { wire, isNamed: false };
}

/**
 * What goes along: a set of the key that this archive is sealed to. The copy in the archive before may be of an earlier
 * key; one that is named is to be of this one.
 * @throws CliError as `readLogged`, and `other-key`, for one that is named
 */
export function currentSet(client: SetJudge, given: GivenSet | null): Uint8Array | null {
  if (given === null) return null;
  const { wire, isNamed } = given;
  try {
    if (readLogged(client, wire).isCurrent) return wire;
  } catch (error) {
    if (isNamed) throw error;
  }
  if (isNamed) throw setRefusal('other-key');
  return null;
}
