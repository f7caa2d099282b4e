import { CryptoError, equalBytes, fromBase64Url, type MemberId, type Primitives } from '@keytide/crypto-core';
import {
  adminsNeeded,
  applyEntry,
  archiveOf,
  DirectoryError,
  isActive,
  orgOf,
  type DirectoryState,
  type Member,
  type Role,
} from '@keytide/key-directory';
import { z } from 'zod';
import { checkpointIn } from '../container/checkpoint.ts';
import { readLines } from '../container/json-lines.ts';
import { approvalFile, NAMES } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import {
  verifyManifestSignature,
  type ManifestSignature,
  type SignedManifest,
} from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import { withFile, type Check } from './check.ts';
import type { FindingCode } from './finding.ts';

const level = 'structure';
const MAX_NOTE_BYTES = 64 * 1024;
const lineSchema = z.object({ index: z.int().min(0), wire: z.string() });

/** What `membership.jsonl` says after each of its entries: the state after `n` entries is at `n - 1`. */
export async function checkMembership(check: Check): Promise<readonly DirectoryState[]> {
  const { primitives, files, findings } = check;
  const file = NAMES.membership;
  const states: DirectoryState[] = [];
  await withFile(check, { level, file }, async () => {
    for await (const value of readLines(files.read(file))) {
      const line = lineSchema.safeParse(value).data;
      const wire = line === undefined ? null : fromBase64Url(line.wire);
      if (line?.index !== states.length || wire === null)
        throw new ArchiveError('malformed', 'not a line of a membership log');
      try {
        states.push(applyEntry(primitives, states.at(-1) ?? null, wire));
      } catch (error) {
        if (!(error instanceof DirectoryError || error instanceof CryptoError)) throw error;
        findings.add(level, 'membership-refused', { file, seq: states.length, detail: error.code });
        return;
      }
      if (states.length % 100 === 0) check.tell(level, states.length, states.length);
    }
  });
  return states;
}

/** How many admins have signed a manifest, its exporter included where it is one; `needed` is 0 where the policy asks for none. */
export interface ApprovalCount {
  readonly given: number;
  readonly needed: number;
}

/**
 * Whether the log is the one that the manifest names, and whether those who have signed it may, by the log's end.
 * Each admin counts once, with whatever devices.
 */
export function checkAuthority(
  check: Pick<Check, 'primitives' | 'findings'>,
  { bytes, manifest, signatures }: SignedManifest,
  { approvals, state }: { readonly approvals: readonly ManifestSignature[]; readonly state: DirectoryState },
): ApprovalCount {
  const { primitives, findings } = check;
  const { size, root } = manifest.membership;
  if (state.org !== manifest.org) findings.add(level, 'other-org', { file: NAMES.membership });
  if (state.size !== size || !equalBytes(state.root, root))
    findings.add(level, 'membership-mismatch', { file: NAMES.membership });

  const archive = archiveOf(primitives, state);
  if (archive !== null && !manifest.recipients.includes(archive.device))
    findings.add(level, 'archive-key-left-out', { file: NAMES.signedManifest, detail: archive.device });

  const admins = new Set<MemberId>();
  for (const [index, signed] of [...signatures, ...approvals].entries()) {
    const { device } = signed;
    const isExporter = index === 0;
    const roles: readonly Role[] = isExporter ? ['admin', 'exporter'] : ['admin'];
    const found =
      isExporter && device !== manifest.device
        ? 'not-permitted'
        : signerOf(primitives, { state, roles, bytes, signed });
    const file = index < signatures.length ? NAMES.signedManifest : approvalFile(device);
    if (typeof found === 'string') findings.add(level, found, { file, detail: device });
    else if (found.role === 'admin') admins.add(found.id);
  }
  const asked = adminsNeeded(state.policy, 'export');
  const count = { given: admins.size, needed: asked > 1 ? asked : 0 };
  if (count.given < count.needed)
    findings.add(level, 'approval-needed', {
      ...{ file: NAMES.signedManifest, detail: `${count.given}/${count.needed}` },
    });
  return count;
}

/** The member whose active device has signed these bytes, in one of these roles; or why it counts for nothing. */
export function signerOf(
  primitives: Primitives,
  {
    state,
    roles,
    bytes,
    signed: { device, signature },
  }: {
    readonly state: DirectoryState;
    readonly roles: readonly Role[];
    readonly bytes: Uint8Array;
    readonly signed: ManifestSignature;
  },
): Member | Extract<FindingCode, 'not-permitted' | 'bad-signature'> {
  const key = state.devices.get(device);
  const member = key === undefined ? undefined : state.members.get(key.member);
  if (key === undefined || member === undefined) return 'not-permitted';
  if (!isActive(state, device) || !roles.includes(member.role)) return 'not-permitted';
  try {
    verifyManifestSignature(primitives, key.signingPublicKey, bytes, signature);
    return member;
  } catch (error) {
    if (error instanceof CryptoError) return 'bad-signature';
    throw error;
  }
}

/** Whether the note of the membership log, if there is one, is of this very log. */
export async function checkNote(check: Check, states: readonly DirectoryState[]): Promise<void> {
  const { files, findings } = check;
  const file = NAMES.checkpoint;
  const checkpoint = await withFile(check, { level, file }, async () =>
    checkpointIn(await readFile(files, file, MAX_NOTE_BYTES)),
  );
  const state = states.at(-1);
  if (checkpoint === null || state === undefined) return;
  const { origin, size, root } = checkpoint;
  if (size > state.size) findings.add(level, 'membership-cut', { file, detail: `${state.size}/${size}` });
  else if (orgOf(origin) !== state.org || !equalBytes(states[size - 1]?.root ?? new Uint8Array(), root))
    findings.add(level, 'checkpoint-mismatch', { file });
}
