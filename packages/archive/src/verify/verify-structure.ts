import type { OrgId } from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import { NAMES } from '../container/names.ts';
import type { Check } from './check.ts';
import { checkKeySet } from './key-set.ts';
import { checkAuthority, checkMembership, checkNote, type ApprovalCount } from './membership.ts';
import { checkStructure, type Structure } from './structure.ts';

/** The first level: what is there, and by whose word. `states` are those of the membership log, one for each entry. */
export async function verifyStructure(
  check: Check,
  org: OrgId | undefined,
): Promise<{
  readonly structure: Structure;
  readonly states: readonly DirectoryState[];
  /** `null` where nobody can say. */
  readonly approvals: ApprovalCount | null;
}> {
  const structure = await checkStructure(check);
  const { sizes, signed, approvals } = structure;
  const states = sizes.has(NAMES.membership) ? await checkMembership(check) : [];
  const state = states.at(-1);
  if (org !== undefined && signed !== null && signed.manifest.org !== org)
    check.findings.add('structure', 'other-org', { file: NAMES.signedManifest });
  const count =
    signed === null || state === undefined ? null : checkAuthority(check, signed, { approvals, state });
  if (sizes.has(NAMES.checkpoint)) await checkNote(check, states);
  if (sizes.has(NAMES.archiveKeySet)) await checkKeySet(check, states);
  return { structure, states, approvals: count };
}
