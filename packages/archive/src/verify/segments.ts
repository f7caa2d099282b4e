import { decodeUtf8, sorted, type GroupId } from '@keytide/crypto-core';
import { z } from 'zod';
import { readFile } from '../container/read-file.ts';
import { segmentFile, segmentOf, type SegmentPart, type Stretch } from '../container/names.ts';
import type { ArchiveFiles } from '../container/destination.ts';
import { ArchiveError } from '../errors.ts';
import type { SegmentSummary } from '../export/segment.ts';

/** Attachments are 66 bytes each. */
export const MAX_SUMMARY_BYTES: number = 64 * 1024 * 1024;
const count = z.int().min(0);
const codes = z.record(z.string(), count);
const summarySchema = z.object({
  ...{ first: z.int().min(1), last: z.int().min(1), messages: count, skipped: count, statements: count },
  ...{ invalid: codes, unreadable: codes },
  attachments: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
});

/** The stretches that have files, by group, in the order of the log. */
export function segmentsIn(names: Iterable<string>): Map<string, Stretch[]> {
  const found = new Map<string, Map<string, Stretch>>();
  for (const name of names) {
    const segment = segmentOf(name);
    if (segment === null) continue;
    const { group, first, last } = segment;
    const stretches = found.get(group) ?? new Map<string, Stretch>();
    found.set(group, stretches.set(name.slice(0, name.indexOf('.')), { first, last }));
  }
  const inOrder = (a: Stretch, b: Stretch): number => a.first - b.first || a.last - b.last;
  return new Map([...found].map(([group, stretches]) => [group, sorted(stretches.values(), inOrder)]));
}

/** The names of a segment's files. */
export function partsOf(group: string, stretch: Stretch): Record<SegmentPart, string> {
  const name = (part: SegmentPart): string => segmentFile(group, stretch, part);
  return {
    ...{ age: name('age'), json: name('json'), leaves: name('leaves') },
    ...{ 'keys.age': name('keys.age'), 'statements.jsonl': name('statements.jsonl') },
  };
}

/** What a segment says that is in it. @throws ArchiveError `malformed`, `missing-file` */
export async function readSummary(
  files: Pick<ArchiveFiles, 'read'>,
  group: GroupId,
  stretch: Stretch,
): Promise<SegmentSummary> {
  return parseSummary(await readFile(files, partsOf(group, stretch).json, MAX_SUMMARY_BYTES));
}

/** Reads `FIRST-LAST.json`. @throws ArchiveError `malformed` */
export function parseSummary(bytes: Uint8Array): SegmentSummary {
  const text = decodeUtf8(bytes);
  let value: unknown = null;
  try {
    if (text?.endsWith('\n') === true) value = JSON.parse(text);
  } catch {
    // Told below.
  }
  const summary = summarySchema.safeParse(value).data;
  if (summary === undefined) throw new ArchiveError('malformed', 'not the summary of a segment');
  return summary;
}

/** How many there are of all codes. */
export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}
