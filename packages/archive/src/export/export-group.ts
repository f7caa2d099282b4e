import {
  appendLeaf,
  equalBytes,
  rootOf,
  toBase64Url,
  toHex,
  type GroupId,
  type MerkleFrontier,
  type Primitives,
} from '@keytide/crypto-core';
import type { ArchiveFilter } from '../container/filter.ts';
import { encodeLine, encodeLines } from '../container/json-lines.ts';
import { groupFile, segmentFile } from '../container/names.ts';
import type { ArchivedGroup } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveWriter } from './archive-writer.ts';
import { addDescriptions, type Descriptions } from './descriptions.ts';
import { leafOf, newSegment, type Segment, type SegmentSummary } from './segment.ts';
import type { ExportSource, SourceGroup } from './source.ts';

/** What of a group's log goes into an archive. */
interface GroupExport {
  readonly primitives: Primitives;
  readonly source: ExportSource;
  readonly writer: ArchiveWriter;
  readonly filter: ArchiveFilter | null;
  readonly group: SourceGroup;
  /** What the archive before ends with, if there is one. */
  readonly previous: Pick<ArchivedGroup, 'throughSeq' | 'root'> | null;
  readonly throughSeq: number;
  /** Called after each segment. */
  onSegment(summary: SegmentSummary): void;
  /** @throws whatever is to end the export */
  checkStop(): void;
}

/** What came of a group, and the attachments that its messages name. */
interface ExportedGroup {
  readonly archived: ArchivedGroup;
  readonly attachments: Descriptions;
}

/**
 * Writes a group's log: its segments, its epochs' keys, and what only the archive key opens.
 * @throws ArchiveError `other-log` when the log is not the one that the archive before has
 */
export async function exportGroup(options: GroupExport): Promise<ExportedGroup> {
  const { primitives, source, writer, filter, group, previous, throughSeq } = options;
  const attachments: Descriptions = new Map();
  const epochs = new Set<number>();
  const totals = { messages: 0, invalid: 0, unreadable: 0, skipped: 0 };
  const first = Math.max(group.before.size, previous?.throughSeq ?? 0) + 1;
  let statementBefore = group.statementBefore;
  let tree: MerkleFrontier = group.before;
  let before = tree;
  let segment = newSegment(primitives, filter);

  async function close(): Promise<void> {
    const { summary } = segment;
    if (summary === null) return;
    await writeSegment(writer, group, segment, summary);
    for (const epoch of segment.epochs) epochs.add(epoch);
    addDescriptions(attachments, segment.attachments);
    totals.messages += summary.messages;
    totals.invalid += total(summary.invalid);
    totals.unreadable += total(summary.unreadable);
    totals.skipped += summary.skipped;
    segment = newSegment(primitives, filter);
    options.onSegment(summary);
  }

  let seq = group.before.size;
  for await (const entry of source.entries(group.group, group.before.size + 1, throughSeq)) {
    options.checkStop();
    seq += 1;
    if (entry.seq !== seq) throw new ArchiveError('source-damaged', 'the source left an entry out');
    if (seq < first) {
      tree = appendLeaf(primitives, tree, leafOf(primitives, entry));
      if (entry.kind === 'statement') statementBefore = entry.wire;
      if (seq + 1 === first) before = tree;
    } else {
      tree = appendLeaf(primitives, tree, segment.add(entry));
      if (segment.isFull) await close();
    }
  }
  if (seq !== throughSeq) throw new ArchiveError('source-damaged', 'the source has less than it said');
  await close();
  const isSame =
    previous === null ||
    first > previous.throughSeq + 1 ||
    equalBytes(rootOf(primitives, before), previous.root);
  if (!isSame) throw new ArchiveError('other-log', 'not the log that the archive before has');
  if (statementBefore !== null)
    await writer.write(groupFile(group.group, 'statement-before'), [statementBefore]);
  await writeKeys(source, writer, group.group, epochs);
  const root = rootOf(primitives, tree);
  return { archived: { group: group.group, before, throughSeq, root, ...totals }, attachments };
}

/** The summary last: what has none was broken off. */
async function writeSegment(
  writer: ArchiveWriter,
  { group }: SourceGroup,
  segment: Segment,
  summary: SegmentSummary,
): Promise<void> {
  const json = encodeLine(summary);
  const { leaves, statements, lines } = segment.parts();
  const isWhole =
    (await writer.keep(segmentFile(group, summary, 'json'), json)) &&
    (await writer.keep(segmentFile(group, summary, 'leaves'), leaves)) &&
    (await writer.keep(segmentFile(group, summary, 'statements.jsonl'), statements)) &&
    (await writer.keep(segmentFile(group, summary, 'age')));
  if (isWhole) return;
  await writer.write(segmentFile(group, summary, 'leaves'), [leaves]);
  await writer.write(segmentFile(group, summary, 'statements.jsonl'), [statements]);
  await writer.seal(segmentFile(group, summary, 'age'), lines);
  await writer.write(segmentFile(group, summary, 'json'), [json]);
}

/** Of these epochs alone: what the source has beyond the log's end is for the next archive. */
async function writeKeys(
  source: ExportSource,
  writer: ArchiveWriter,
  group: GroupId,
  epochs: ReadonlySet<number>,
): Promise<void> {
  async function* keys(): AsyncGenerator<unknown> {
    for await (const { epoch, statement, key } of source.epochKeys(group))
      if (epochs.has(epoch)) yield { epoch, statement: toHex(statement), key: key.use(toHex) };
  }
  async function* boxes(): AsyncGenerator<unknown> {
    for await (const { epoch, box } of source.archiveBoxes(group, epochs))
      if (epochs.has(epoch)) yield { epoch, box: toBase64Url(box) };
  }
  await writer.seal(groupFile(group, 'keys.age'), encodeLines(keys()));
  await writer.write(groupFile(group, 'boxes.jsonl'), encodeLines(boxes()));
}

function total(codes: Readonly<Record<string, number>>): number {
  return Object.values(codes).reduce((sum, count) => sum + count, 0);
}
