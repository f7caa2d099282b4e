import { ArchiveError } from '../errors.ts';

/** The names of docs/spec/archive.md that are always the same. */
export const NAMES = {
  bagit: 'bagit.txt',
  bagInfo: 'bag-info.txt',
  manifest: 'manifest-sha256.txt',
  tagManifest: 'tagmanifest-sha256.txt',
  signedManifest: 'signed-manifest',
  /** There only while an export is under way. */
  plan: 'plan.json',
  /** As well. */
  kept: 'kept.jsonl',
  readme: 'data/README-DECRYPT.txt',
  membership: 'data/membership.jsonl',
  checkpoint: 'data/checkpoint.txt',
  archiveKeySet: 'data/archive-key-set',
  attachments: 'data/attachments.jsonl',
} as const;

/** What is below `data/`, which `manifest-sha256.txt` lists. */
export const PAYLOAD = 'data/';

/** A stretch of a group's log, both ends included. */
export interface Stretch {
  readonly first: number;
  readonly last: number;
}

const SEQ_DIGITS = 12;
const GROUP = /^data\/groups\/[0-9a-f]{64}\/(?:statement-before|boxes\.jsonl)$/;
const SEGMENT =
  /^data\/groups\/([0-9a-f]{64})\/segments\/(\d{12})-(\d{12})\.(age|json|keys\.age|leaves|statements\.jsonl)$/;
const ATTACHMENT = /^data\/attachments\/([0-9a-f]{64})\.age$/;
const APPROVAL = /^approvals\/[0-9a-f]{64}$/;
const FIXED: ReadonlySet<string> = new Set(Object.values(NAMES));

/** The kinds of files of a segment. */
export type SegmentPart = 'age' | 'json' | 'keys.age' | 'leaves' | 'statements.jsonl';

/** A file of a group; `group` is 64 hex digits. */
export function groupFile(group: string, file: 'statement-before' | 'boxes.jsonl'): string {
  return `${PAYLOAD}groups/${group}/${file}`;
}

/** A file of a segment: its lines and its epochs' keys, both sealed, its leaves, its statements, or what is said of them (`json`). */
export function segmentFile(group: string, { first, last }: Stretch, part: SegmentPart): string {
  return `${PAYLOAD}groups/${group}/segments/${digits(first)}-${digits(last)}.${part}`;
}

/** An attachment's sealed content; `blob` is 64 hex digits. */
export function attachmentFile(blob: string): string {
  return `${PAYLOAD}attachments/${blob}.age`;
}

/** An admin's approval, beside `data/`; `device` is 64 hex digits. */
export function approvalFile(device: string): string {
  return `approvals/${device}`;
}

/** Whether a name is that of an approval. */
export function isApprovalName(name: string): boolean {
  return APPROVAL.test(name);
}

/** Whether an archive can have a file of this name. */
export function isArchiveName(name: string): boolean {
  if (FIXED.has(name) || GROUP.test(name) || ATTACHMENT.test(name)) return true;
  return isApprovalName(name) || segmentOf(name) !== null;
}

/** What the name of a segment says, or `null` for a name that is none. */
export function segmentOf(
  name: string,
): (Stretch & { readonly group: string; readonly part: SegmentPart }) | null {
  const found = SEGMENT.exec(name);
  if (found === null) return null;
  const [, group, first, last, part] = found as unknown as [string, string, string, string, SegmentPart];
  const stretch = { first: Number(first), last: Number(last) };
  return stretch.first >= 1 && stretch.last >= stretch.first ? { group, ...stretch, part } : null;
}

function digits(seq: number): string {
  const text = String(seq);
  if (text.length > SEQ_DIGITS) throw new ArchiveError('too-large', 'a log of more entries than have a name');
  return text.padStart(SEQ_DIGITS, '0');
}
