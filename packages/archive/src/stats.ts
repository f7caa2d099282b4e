import { equalBytes, sorted, type GroupId, type Primitives } from '@keytide/crypto-core';
import { readAgeHeader } from './age/header.ts';
import { readerOf } from './byte-reader.ts';
import { MAX_PAYLOAD_LIST_BYTES, parseManifestFile } from './container/bag.ts';
import type { ArchiveFiles } from './container/destination.ts';
import { MAX_APPROVAL_BYTES, parseApproval } from './container/approval.ts';
import { isApprovalName, NAMES } from './container/names.ts';
import { readFile } from './container/read-file.ts';
import {
  MAX_MANIFEST_BYTES,
  parseSignedManifest,
  type ArchivedGroup,
  type ManifestSignature,
  type SignedManifest,
} from './container/signed-manifest.ts';
import { ArchiveError } from './errors.ts';
import type { SegmentSummary } from './export/segment.ts';
import { verifiedFiles, type VerifiedFiles } from './open/verified-files.ts';
import { readAttachments } from './verify/references.ts';
import { partsOf, readSummary, segmentsIn } from './verify/segments.ts';

/** How often each code is there. */
export type CodeCounts = Readonly<Record<string, number>>;

/** What an archive says that is in it. */
export interface ArchiveStats {
  readonly signed: SignedManifest;
  readonly groups: readonly GroupStats[];
  readonly attachments: {
    readonly present: number;
    readonly sizeBytes: number;
    readonly missing: CodeCounts;
  };
  /** How many keys open it, of those who share a header; `null` where nothing is sealed. */
  readonly recipients: number | null;
  /** Of everything, what proves it included. */
  readonly files: { readonly count: number; readonly sizeBytes: number };
}

/** Which archive was verified: of `verifyArchive`'s report. */
export interface VerifiedArchive {
  readonly primitives: Primitives;
  readonly manifest: SignedManifest;
}

/** What is in the segments of one group. */
export interface GroupStats {
  readonly group: GroupId;
  readonly firstSeq: number;
  readonly throughSeq: number;
  readonly segments: number;
  readonly messages: number;
  readonly statements: number;
  readonly skipped: number;
  readonly invalid: CodeCounts;
  readonly unreadable: CodeCounts;
}

/**
 * Reads what an archive is, and what is in it, without a key: its manifest, and the summaries of its segments. Nothing of
 * it is checked, unless it is given which archive was verified: then it is what that one says, or refused.
 * @throws ArchiveError `missing-file` for an export that is not whole, or no archive; `malformed`, `unsupported-version`;
 *   `damaged` where the place shows something else than what was verified
 */
export async function readArchiveStats(
  files: ArchiveFiles,
  verified?: VerifiedArchive,
): Promise<ArchiveStats> {
  const signed = verified?.manifest ?? (await readSignedManifest(files));
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes } of files.list()) sizes.set(name, sizeBytes);
  const checked = verified === undefined ? null : await filesOf(files, verified);
  const said = checked ?? files;
  const segments = segmentsIn(checked?.names() ?? sizes.keys());
  const groups: GroupStats[] = [];
  let sealed: string | null = null;
  for (const archived of signed.manifest.groups) {
    const stretches = segments.get(archived.group) ?? [];
    const stats = emptyStats(archived);
    for (const stretch of stretches) addSummary(stats, await readSummary(said, archived.group, stretch));
    for (const stretch of stretches.slice(0, 1)) sealed ??= partsOf(archived.group, stretch).age;
    groups.push(stats);
  }
  const recipients = sealed === null ? null : await countRecipients(files, sealed);
  const sizeBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const attachments = await countAttachments(said);
  return { signed, groups, attachments, recipients, files: { count: sizes.size, sizeBytes } };
}

/** Reads the signed manifest of an archive, and the approvals behind its signatures, checking nothing. @throws as `readArchiveStats` */
export async function readSignedManifest(files: ArchiveFiles): Promise<SignedManifest> {
  const signed = parseSignedManifest(await readFile(files, NAMES.signedManifest, MAX_MANIFEST_BYTES));
  const approvals: ManifestSignature[] = [];
  for await (const { name } of files.list())
    if (isApprovalName(name)) approvals.push(parseApproval(await readFile(files, name, MAX_APPROVAL_BYTES)));
  return { ...signed, signatures: [...signed.signatures, ...approvals] };
}

/** Only the bytes that were signed. */
async function filesOf(
  files: ArchiveFiles,
  { primitives, manifest: { manifest } }: VerifiedArchive,
): Promise<VerifiedFiles> {
  const list = await readFile(files, NAMES.manifest, MAX_PAYLOAD_LIST_BYTES);
  if (!equalBytes(primitives.sha256(list), manifest.manifestHash))
    throw new ArchiveError('damaged', 'the place shows another archive than was verified');
  return verifiedFiles(primitives, files, parseManifestFile(list, 'payload'));
}

/** Of its header alone, however large the file is. */
async function countRecipients(files: ArchiveFiles, name: string): Promise<number> {
  const pieces = files.read(name)[Symbol.asyncIterator]();
  try {
    return (await readAgeHeader(readerOf({ [Symbol.asyncIterator]: () => pieces }))).stanzas.length;
  } finally {
    await pieces.return?.();
  }
}

type Counting = { -readonly [Name in keyof GroupStats]: GroupStats[Name] };

function emptyStats({ group, before, throughSeq }: ArchivedGroup): Counting {
  const counts = { segments: 0, messages: 0, statements: 0, skipped: 0, invalid: {}, unreadable: {} };
  return { group, firstSeq: before.size + 1, throughSeq, ...counts };
}

function addSummary(stats: Counting, summary: SegmentSummary): void {
  stats.segments += 1;
  stats.messages += summary.messages;
  stats.statements += summary.statements;
  stats.skipped += summary.skipped;
  stats.invalid = sumOf(stats.invalid, summary.invalid);
  stats.unreadable = sumOf(stats.unreadable, summary.unreadable);
}

async function countAttachments(files: Pick<ArchiveFiles, 'read'>): Promise<ArchiveStats['attachments']> {
  const found = { present: 0, sizeBytes: 0 };
  let gone: CodeCounts = {};
  for (const { sizeBytes, missing } of (await readAttachments(files)).values()) {
    if (missing !== null) {
      gone = sumOf(gone, { [missing]: 1 });
      continue;
    }
    found.present += 1;
    found.sizeBytes += sizeBytes;
  }
  return { ...found, missing: gone };
}

function sumOf(a: CodeCounts, b: CodeCounts): CodeCounts {
  const names = sorted(new Set([...Object.keys(a), ...Object.keys(b)]));
  const of = (counts: CodeCounts, name: string): number =>
    Object.hasOwn(counts, name) ? (counts[name] ?? 0) : 0;
  return Object.fromEntries(names.map((name) => [name, of(a, name) + of(b, name)]));
}
