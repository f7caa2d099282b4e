import { CryptoError, equalBytes, fromBase64Url } from '@keytide/crypto-core';
import {
  adminsNeeded,
  applyEntry,
  DirectoryError,
  isActive,
  orgOf,
  type DirectoryState,
} from '@keytide/key-directory';
import { z } from 'zod';
import { checkpointIn } from '../container/checkpoint.ts';
import { readLines } from '../container/json-lines.ts';
import { NAMES } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import { verifyManifestSignature, type SignedManifest } from '../container/signed-manifest.ts';
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

/** Whether the log is the one that the manifest names, and whether those who have signed it may. */
export function checkAuthority(
  check: Pick<Check, 'primitives' | 'findings'>,
  { bytes, manifest, signatures }: SignedManifest,
  state: DirectoryState,
): void {
  const { primitives, findings } = check;
  const { size, root } = manifest.membership;
  if (state.org !== manifest.org) findings.add(level, 'other-org', { file: NAMES.membership });
  if (state.size !== size || !equalBytes(state.root, root))
    findings.add(level, 'membership-mismatch', { file: NAMES.membership });

  const admins = new Set<string>();
  for (const [index, { device, signature }] of signatures.entries()) {
    const isExporter = index === 0;
    const fault = ((): FindingCode | null => {
      const key = state.devices.get(device);
      if (key === undefined || (isExporter && device !== manifest.device)) return 'not-permitted';
      const role = isActive(state, device) ? state.members.get(key.member)?.role : undefined;
      if (role !== 'admin' && !(isExporter && role === 'exporter')) return 'not-permitted';
      try {
        verifyManifestSignature(primitives, key.signingPublicKey, bytes, signature);
      } catch (error) {
        if (error instanceof CryptoError) return 'bad-signature';
        throw error;
      }
      if (role === 'admin') admins.add(key.member);
      return null;
    })();
    if (fault !== null) findings.add(level, fault, { file: NAMES.signedManifest, detail: device });
  }
  const needed = adminsNeeded(state.policy, 'export');
  if (needed > 1 && admins.size < needed)
    findings.add(level, 'approval-needed', {
      ...{ file: NAMES.signedManifest, detail: `${admins.size}/${needed}` },
    });
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
