import { z } from 'zod';
import type { ArchiveFiles } from '../container/destination.ts';
import { readLines } from '../container/json-lines.ts';
import { attachmentFile, NAMES } from '../container/names.ts';
import { ArchiveError } from '../errors.ts';
import { withFile, type Check } from './check.ts';

/** The attachments that `attachments.jsonl` lists, by blob id. */
export type ListedAttachments = ReadonlyMap<string, ListedAttachment>;

/** A line of `attachments.jsonl`. */
export interface ListedAttachment {
  readonly sizeBytes: number;
  /** Why it is not here; `null` for one that is. */
  readonly missing: string | null;
}

const level = 'references';
const ATTACHMENT = /^data\/attachments\/([0-9a-f]{64})\.age$/;
const lineSchema = z.object({
  blob: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.int().min(0),
  missing: z.string().exactOptional(),
});

/** Whether what segments name, what is listed and what is there are the same attachments. */
export async function checkReferences(
  check: Check,
  named: ReadonlySet<string>,
  names: ReadonlySet<string>,
): Promise<ListedAttachments> {
  const { files, findings } = check;
  const place = { level, file: NAMES.attachments } as const;
  const listed =
    (await withFile(check, place, () => readAttachments(files))) ?? new Map<string, ListedAttachment>();
  for (const blob of named) {
    const file = attachmentFile(blob);
    const line = listed.get(blob);
    if (line === undefined) findings.add(level, 'attachment-unlisted', { file });
    else if (line.missing === null && !names.has(file)) findings.add(level, 'missing-file', { file });
  }
  for (const [blob, { missing }] of listed) {
    const file = attachmentFile(blob);
    if (!named.has(blob)) findings.add(level, 'attachment-unnamed', { file });
    if (missing !== null && names.has(file)) findings.add(level, 'unexpected-file', { file });
  }
  for (const file of names) {
    const blob = ATTACHMENT.exec(file)?.[1];
    if (blob !== undefined && !listed.has(blob)) findings.add(level, 'attachment-unlisted', { file });
  }
  check.tell(level, listed.size, listed.size);
  return listed;
}

/** Reads `attachments.jsonl`. @throws ArchiveError `malformed`, `missing-file` */
export async function readAttachments(files: Pick<ArchiveFiles, 'read'>): Promise<ListedAttachments> {
  const listed = new Map<string, ListedAttachment>();
  let before = '';
  for await (const value of readLines(files.read(NAMES.attachments))) {
    const line = lineSchema.safeParse(value).data;
    if (line === undefined || line.blob <= before)
      throw new ArchiveError('malformed', 'not a line of an attachment');
    const { blob, sizeBytes, missing = null } = line;
    before = blob;
    listed.set(blob, { sizeBytes, missing });
  }
  return listed;
}
