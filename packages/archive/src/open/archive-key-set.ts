import { MAX_QUORUM_SET_BYTES, type OrgId, type Primitives } from '@keytide/crypto-core';
import type { ArchiveKeySet } from '@keytide/key-directory';
import type { ArchiveFiles } from '../container/destination.ts';
import { NAMES } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import { ArchiveError } from '../errors.ts';
import { judgeByStates } from '../verify/key-set.ts';
import { newFindings } from '../verify/finding.ts';
import { checkMembership } from '../verify/membership.ts';

/** Where a set of shares is looked for. */
interface KeySetOptions {
  readonly primitives: Primitives;
  readonly files: ArchiveFiles;
  /** A set that is there besides the archive, in the place of its own. */
  readonly wire?: Uint8Array;
  /** The organisation that it is to be of. Without it, the archive's own word is taken. */
  readonly org?: OrgId;
}

/**
 * The set of the archive key's shares (docs/spec/quorum.md), checked against the membership log of the archive, so that
 * an archive and enough shares are all that it takes. `null` where the archive has none.
 * @throws CryptoError as `judgeArchiveKeySet`; ArchiveError `damaged` for an archive without a membership log
 */
export async function readArchiveKeySet(options: KeySetOptions): Promise<ArchiveKeySet | null> {
  const { primitives, files, org } = options;
  const wire = options.wire ?? (await keySetIn(files));
  if (wire === null) return null;
  const states = await checkMembership({ primitives, files, findings: newFindings(), tell: () => {} });
  const state = states.at(-1);
  if (state === undefined || (org !== undefined && state.org !== org))
    throw new ArchiveError('damaged', 'the archive has no membership log of this organisation');
  return judgeByStates(primitives, states, wire);
}

/** The set as an archive has it, with nothing of it checked; `null` where it has none. @throws ArchiveError `too-large` */
export async function keySetIn(files: ArchiveFiles): Promise<Uint8Array | null> {
  for await (const { name } of files.list())
    if (name === NAMES.archiveKeySet) return await readFile(files, name, MAX_QUORUM_SET_BYTES);
  return null;
}
