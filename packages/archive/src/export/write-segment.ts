import { equalBytes, type GroupId, type Primitives } from '@keytide/crypto-core';
import { encodeLine, encodeLines } from '../container/json-lines.ts';
import { segmentFile, segmentOf, type Stretch } from '../container/names.ts';
import { MAX_SUMMARY_BYTES, parseSummary, sumOf } from '../verify/segments.ts';
import type { ArchiveWriter } from './archive-writer.ts';
import type { Segment, SegmentSummary } from './segment.ts';
import type { TakenKeys } from './taken-keys.ts';

/** Where a segment goes, and what it takes its keys from. */
interface SegmentPlace {
  readonly primitives: Primitives;
  readonly writer: ArchiveWriter;
  readonly group: GroupId;
  readonly keys: TakenKeys;
}

/** What a segment says that begins here and is whole from before a stop; `null` where there is none. */
export async function keptSummary(
  { writer, group }: Pick<SegmentPlace, 'writer' | 'group'>,
  first: number,
): Promise<SegmentSummary | null> {
  for (const name of writer.kept.files.keys()) {
    const found = segmentOf(name);
    if (found?.part !== 'json' || found.group !== group || found.first !== first) continue;
    const bytes = await writer.read(name, MAX_SUMMARY_BYTES);
    if (bytes !== null && (await keepSealed(writer, group, found))) return parseSummary(bytes);
  }
  return null;
}

/**
 * Writes a segment, unless there is one from before a stop that says as much of the same entries: keys may be gone
 * that were there then, and are in it. Of the two, that with fewer unreadable entries goes into the archive.
 * @returns what the one says that is in it
 */
export async function writeSegment(
  place: SegmentPlace,
  segment: Segment & { readonly summary: SegmentSummary },
  kept: SegmentSummary | null,
): Promise<SegmentSummary> {
  const { primitives, writer, group, keys } = place;
  const { summary } = segment;
  if (kept !== null && (await isKept(place, segment, kept))) return kept;
  const json = encodeLine(summary);
  const { leaves, statements, lines } = segment.parts();
  await writer.write(segmentFile(group, summary, 'leaves'), [leaves]);
  await writer.write(segmentFile(group, summary, 'statements.jsonl'), [statements]);
  await writer.seal(segmentFile(group, summary, 'age'), lines);
  const keyLines = await keys.linesOf(segment.epochs);
  await writer.seal(segmentFile(group, summary, 'keys.age'), encodeLines(keyLines));
  for (const [blob, [named]] of segment.attachments)
    if (named !== undefined && !writer.kept.contentBytes.has(blob))
      writer.kept.contentBytes.set(blob, named.sizeBytes);
  const name = segmentFile(group, summary, 'json');
  writer.kept.files.set(name, { sizeBytes: json.length, sha256: primitives.sha256(json) });
  await writer.record('now');
  // Last: what has none was broken off.
  await writer.write(name, [json]);
  return summary;
}

async function isKept(
  { primitives, writer, group }: SegmentPlace,
  { summary, parts }: Segment & { readonly summary: SegmentSummary },
  kept: SegmentSummary,
): Promise<boolean> {
  const known = writer.kept.files.get(segmentFile(group, kept, 'leaves'));
  const { leaves, statements } = parts();
  // The same entries, or the log is another than it was.
  if (known === undefined || summary.last !== kept.last) return false;
  if (!equalBytes(primitives.sha256(leaves), known.sha256)) return false;
  if (sumOf(summary.unreadable) < sumOf(kept.unreadable)) return false;
  if (!(await writer.keep(segmentFile(group, kept, 'json')))) return false;
  if (!(await keepSealed(writer, group, kept))) return false;
  const rest = { leaves, 'statements.jsonl': statements };
  for (const [part, bytes] of Object.entries(rest)) {
    const name = segmentFile(group, kept, part as keyof typeof rest);
    if (!(await writer.keep(name))) await writer.write(name, [bytes]);
  }
  return true;
}

/** Lines and keys: what this device can perhaps not write any more. */
async function keepSealed(writer: ArchiveWriter, group: GroupId, stretch: Stretch): Promise<boolean> {
  for (const part of ['age', 'keys.age'] as const)
    if (!(await writer.keep(segmentFile(group, stretch, part)))) return false;
  return true;
}
