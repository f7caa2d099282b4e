import type { DeviceId, MemberId, Primitives, Signer } from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import { encodeApproval, parseApproval } from './container/approval.ts';
import type { Destination } from './container/destination.ts';
import { approvalFile } from './container/names.ts';
import { signManifest, type SignedManifest } from './container/signed-manifest.ts';
import { ArchiveError } from './errors.ts';
import { newFindings } from './verify/finding.ts';
import { signerOf } from './verify/membership.ts';
import { verifyStructure } from './verify/verify-structure.ts';

/**
 * A further admin's approval of an archive: a signature under what its exporter signed, as a file to be put into it
 * (docs/spec/archive.md, "Approvals"). Of some 100 bytes, public. Verify the archive before.
 */
export function approvalUnder(
  primitives: Primitives,
  { bytes }: Pick<SignedManifest, 'bytes'>,
  { device, signer }: { readonly device: DeviceId; readonly signer: Signer },
): Uint8Array {
  return encodeApproval({ device, signature: signManifest(primitives, signer, bytes) });
}

/**
 * How many admins have signed an archive, its exporter included where it is one: of those who are admins by each of these
 * states of the membership log. By its end in the archive and by the newest that is known, whoever was removed since
 * does not count: what they sign now could bear any date.
 */
export function adminsWhoSigned(
  primitives: Primitives,
  { bytes, signatures }: Pick<SignedManifest, 'bytes' | 'signatures'>,
  states: readonly DirectoryState[],
): number {
  const admins = new Set<MemberId>();
  for (const signed of signatures) {
    const members = states.map((state) => signerOf(primitives, { state, roles: ['admin'], bytes, signed }));
    for (const member of members)
      if (typeof member !== 'string' && members.every((one) => typeof one !== 'string'))
        admins.add(member.id);
  }
  return admins.size;
}

/**
 * Puts an approval into an archive, where it counts; nothing else of the archive is touched. Again: nothing changes.
 * @throws ArchiveError `bad-approval` for one of another archive, by nobody who may, or by an admin who has signed
 *   already; `malformed`, `unsupported-version`; `damaged` for an archive that nobody can approve; what the place throws
 */
export async function addApproval(
  { primitives, archive }: { readonly primitives: Primitives; readonly archive: Destination },
  approval: Uint8Array,
): Promise<void> {
  const given = parseApproval(approval);
  const findings = newFindings();
  const check = { primitives, files: archive, findings, tell: () => {} };
  const { structure, states } = await verifyStructure(check, undefined);
  const { signed, approvals } = structure;
  const state = states.at(-1);
  if (signed === null || state === undefined)
    throw new ArchiveError('damaged', 'not an archive as it was written', {
      cause: findings.list[0]?.code,
    });
  const found = signerOf(primitives, { state, roles: ['admin'], bytes: signed.bytes, signed: given });
  if (typeof found === 'string')
    throw new ArchiveError('bad-approval', 'not an approval of this archive by an admin', { cause: found });
  const before = [...signed.signatures, ...approvals].filter(({ device }) => device !== given.device);
  if (
    before.some(({ device }) => state.devices.get(device)?.member === found.id) ||
    isExporter(signed, given)
  )
    throw new ArchiveError('bad-approval', 'by an admin who has signed this archive already');
  await archive.write(approvalFile(given.device), [approval]);
}

function isExporter({ manifest }: SignedManifest, { device }: { readonly device: DeviceId }): boolean {
  return manifest.device === device;
}
