import { archiveRecipient, CryptoError, equalBytes } from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import { BAGIT, encodeBagInfo, encodeManifestFile, TAG_FILES } from '../container/bag.ts';
import type { FileDigest } from '../container/destination.ts';
import { NAMES, PAYLOAD } from '../container/names.ts';
import {
  MAX_MANIFEST_BYTES,
  encodeManifest,
  encodeSignedManifest,
  parseSignedManifest,
  signManifest,
  verifyManifestSignature,
  type ArchivedGroup,
  type SignedManifest,
} from '../container/signed-manifest.ts';
import { readFile } from '../container/read-file.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveWriter } from './archive-writer.ts';
import type { ExportOptions } from './export-options.ts';
import type { ExportPlan } from './plan.ts';

/** What an archive has come to. */
interface Finished {
  readonly plan: ExportPlan;
  readonly state: DirectoryState;
  readonly archived: readonly ArchivedGroup[];
  readonly writer: ArchiveWriter;
}

/** Writes what makes an archive of the files, the plan's end last: without it, all of this is done once more. */
export async function finishArchive(
  { primitives, exporter, destination }: Pick<ExportOptions, 'primitives' | 'exporter' | 'destination'>,
  { plan, state, archived, writer }: Finished,
): Promise<SignedManifest> {
  const { org, id, createdMs, previous, filter } = plan;
  await writer.removeOthers([NAMES.plan, NAMES.kept]);
  const payload = filesIn(writer, (name) => name.startsWith(PAYLOAD));
  const files = { count: payload.size, sizeBytes: sizeOf(payload) };
  const list = encodeManifestFile(payload);
  const manifest = {
    ...{ org, id, createdMs, previous, filter, files, groups: archived, device: exporter.device },
    membership: { size: state.size, root: state.root },
    manifestHash: primitives.sha256(list),
    recipients: plan.recipients.map((key) => archiveRecipient(primitives, key)),
  };
  const bytes = encodeManifest(manifest);
  const signature = signManifest(primitives, exporter.signer, bytes);
  const signatures = [{ device: exporter.device, signature }];
  await writer.write(NAMES.manifest, [list]);
  await writer.write(NAMES.signedManifest, [encodeSignedManifest(bytes, signatures)]);
  await writer.write(NAMES.bagInfo, [encodeBagInfo({ org, createdMs, files })]);
  await writer.write(NAMES.bagit, [BAGIT]);
  const tags = filesIn(writer, (name) => TAG_FILES.includes(name));
  await writer.write(NAMES.tagManifest, [encodeManifestFile(tags)]);
  await destination.remove(NAMES.kept);
  await destination.remove(NAMES.plan);
  return { bytes, manifest, signatures };
}

/**
 * The archive of this plan, where only the plan's end is still to be done: the list of what was kept goes before it, when
 * everything else is written. `null` where there is more to do.
 */
export async function finishedArchive(
  { primitives, exporter, destination }: Pick<ExportOptions, 'primitives' | 'exporter' | 'destination'>,
  { id }: Pick<ExportPlan, 'id'>,
): Promise<SignedManifest | null> {
  const names = new Set<string>();
  for await (const { name } of destination.list()) names.add(name);
  if (names.has(NAMES.kept) || !names.has(NAMES.tagManifest) || !names.has(NAMES.signedManifest)) return null;
  try {
    const signed = parseSignedManifest(await readFile(destination, NAMES.signedManifest, MAX_MANIFEST_BYTES));
    const [first] = signed.signatures;
    if (!equalBytes(signed.manifest.id, id) || first?.device !== exporter.device) return null;
    verifyManifestSignature(primitives, exporter.signer.publicKey, signed.bytes, first.signature);
    await destination.remove(NAMES.plan);
    return signed;
  } catch (error) {
    if (error instanceof ArchiveError || error instanceof CryptoError) return null;
    throw error;
  }
}

function filesIn(writer: ArchiveWriter, isWanted: (name: string) => boolean): Map<string, FileDigest> {
  return new Map([...writer.files].filter(([name]) => isWanted(name)));
}

function sizeOf(files: ReadonlyMap<string, FileDigest>): number {
  return [...files.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
