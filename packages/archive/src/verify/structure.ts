import { decodeUtf8, equalBytes } from '@keytide/crypto-core';
import {
  BAGIT,
  encodeBagInfo,
  MAX_PAYLOAD_LIST_BYTES,
  parseManifestFile,
  TAG_FILES,
} from '../container/bag.ts';
import { MAX_APPROVAL_BYTES, parseApproval } from '../container/approval.ts';
import { approvalFile, isApprovalName, isArchiveName, NAMES, PAYLOAD } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import {
  MAX_MANIFEST_BYTES,
  parseSignedManifest,
  type ManifestSignature,
  type SignedManifest,
} from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import { withFile, type Check } from './check.ts';

/** What is there, and what is said of it. `null` where a file cannot be read. */
export interface Structure {
  /** Sizes by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** What `manifest-sha256.txt` says: names and SHA-256. */
  readonly listed: ReadonlyMap<string, Uint8Array> | null;
  /** What `tagmanifest-sha256.txt` says. */
  readonly tags: ReadonlyMap<string, Uint8Array> | null;
  readonly signed: SignedManifest | null;
  /** Signatures of further admins that came after it was made. */
  readonly approvals: readonly ManifestSignature[];
}

const level = 'structure';
const MAX_TAG_BYTES = 8 * 1024 * 1024;
const REQUIRED = [...TAG_FILES, NAMES.tagManifest, NAMES.readme, NAMES.membership, NAMES.attachments];

/** Which files there are, and whether they are those that the manifest lists and its exporter counted. */
export async function checkStructure(check: Check): Promise<Structure> {
  const { files, findings, primitives } = check;
  const sizes = await namesIn(check);
  const read = <T>(file: string, mostBytes: number, parse: (bytes: Uint8Array) => T): Promise<T | null> =>
    sizes.has(file)
      ? withFile(check, { level, file }, async () => parse(await readFile(files, file, mostBytes)))
      : Promise.resolve(null);

  const signed = await read(NAMES.signedManifest, MAX_MANIFEST_BYTES, parseSignedManifest);
  const listed = await read(NAMES.manifest, MAX_PAYLOAD_LIST_BYTES, (bytes) => {
    const hash = signed?.manifest.manifestHash;
    if (hash === undefined || equalBytes(primitives.sha256(bytes), hash))
      return parseManifestFile(bytes, 'payload');
    // Nobody's list: whatever it says is not looked at.
    findings.add(level, 'manifest-mismatch', { file: NAMES.manifest });
    return null;
  });
  const tags = await read(NAMES.tagManifest, MAX_TAG_BYTES, (bytes) => parseManifestFile(bytes, 'tags'));
  await read(NAMES.bagit, MAX_TAG_BYTES, (bytes) => {
    if (!equalBytes(bytes, BAGIT)) findings.add(level, 'bag-mismatch', { file: NAMES.bagit });
  });
  await read(NAMES.bagInfo, MAX_TAG_BYTES, (bytes) => {
    if (signed !== null && !saysOf(bytes, signed))
      findings.add(level, 'bag-mismatch', { file: NAMES.bagInfo });
  });
  if (listed !== null) compareNames(check, sizes, listed);
  if (tags !== null)
    for (const file of TAG_FILES.filter((name) => !tags.has(name)))
      findings.add(level, 'bag-mismatch', { file: NAMES.tagManifest, detail: file });
  if (signed !== null) compareSizes(check, sizes, signed);
  return { sizes, listed, tags, signed, approvals: await approvalsIn(check, sizes) };
}

async function approvalsIn(
  check: Check,
  sizes: ReadonlyMap<string, number>,
): Promise<readonly ManifestSignature[]> {
  const approvals: ManifestSignature[] = [];
  for (const file of [...sizes.keys()].filter(isApprovalName)) {
    const approval = await withFile(check, { level, file }, async () => {
      const read = parseApproval(await readFile(check.files, file, MAX_APPROVAL_BYTES));
      if (approvalFile(read.device) === file) return read;
      throw new ArchiveError('malformed', 'an approval under the name of another device');
    });
    if (approval !== null) approvals.push(approval);
  }
  return approvals;
}

async function namesIn({ files, findings }: Check): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes } of files.list()) {
    if (!isArchiveName(name)) findings.add(level, 'unexpected-file', { file: name });
    else if (name === NAMES.plan || name === NAMES.kept) findings.add(level, 'unfinished', { file: name });
    else if (sizes.has(name)) findings.add(level, 'duplicate-file', { file: name });
    else sizes.set(name, sizeBytes);
  }
  for (const file of REQUIRED) if (!sizes.has(file)) findings.add(level, 'missing-file', { file });
  return sizes;
}

function compareNames(
  { findings }: Check,
  sizes: ReadonlyMap<string, number>,
  listed: ReadonlyMap<string, Uint8Array>,
): void {
  for (const file of sizes.keys())
    if (file.startsWith(PAYLOAD) && !listed.has(file)) findings.add(level, 'unexpected-file', { file });
  for (const file of listed.keys())
    if (!sizes.has(file) && !REQUIRED.includes(file)) findings.add(level, 'missing-file', { file });
  for (const file of REQUIRED)
    if (file.startsWith(PAYLOAD) && !listed.has(file))
      findings.add(level, 'bag-mismatch', { file: NAMES.manifest, detail: file });
}

function compareSizes(
  { findings }: Check,
  sizes: ReadonlyMap<string, number>,
  { manifest: { files } }: SignedManifest,
): void {
  const payload = [...sizes].filter(([name]) => name.startsWith(PAYLOAD));
  const sizeBytes = payload.reduce((sum, [, size]) => sum + size, 0);
  if (payload.length !== files.count || sizeBytes !== files.sizeBytes)
    findings.add(level, 'size-mismatch', { detail: `${files.sizeBytes}/${sizeBytes}` });
}

/** Whether each line that `bag-info.txt` is to have is there; it may have more. */
function saysOf(bytes: Uint8Array, { manifest: { org, createdMs, files } }: SignedManifest): boolean {
  const lines = new Set(decodeUtf8(bytes)?.split('\n'));
  const wanted = decodeUtf8(encodeBagInfo({ org, createdMs, files })) as string;
  return wanted.split('\n').every((line) => lines.has(line));
}
