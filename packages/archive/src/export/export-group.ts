import {
  appendLeaf,
  equalBytes,
  rootOf,
  toBase64Url,
  type MerkleFrontier,
  type Primitives,
} from '@keytide/crypto-core';
import type { ArchiveFilter } from '../container/filter.ts';
import { encodeLines } from '../container/json-lines.ts';
import { groupFile } from '../container/names.ts';
import type { ArchivedGroup } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import { sumOf } from '../verify/segments.ts';
import type { ArchiveWriter } from './archive-writer.ts';
import { addDescriptions, type Descriptions } from './descriptions.ts';
import { leafOf, newSegment, type SegmentSummary } from './segment.ts';
import type { ExportSource, SourceGroup } from './source.ts';
import { takeKeys, type TakenKeys } from './taken-keys.ts';
import { keptSummary, writeSegment } from './write-segment.ts';

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
  /** The blobs of all that its segments name: of some there may be no description any more. */
  readonly named: ReadonlySet<string>;
}

/**
 * Writes a group's log: its segments with the keys of their epochs, and what only the archive key opens.
 * @throws ArchiveError `other-log` when the log is not the one that the archive before has
 */
export async function exportGroup(options: GroupExport): Promise<ExportedGroup> {
  const keys = await takeKeys(options.source, options.group);
  try {
    return await exportEntries(options, keys);
  } finally {
    keys.dispose();
  }
}

async function exportEntries(options: GroupExport, keys: TakenKeys): Promise<ExportedGroup> {
  const { primitives, source, writer, filter, group, previous, throughSeq } = options;
  const attachments: Descriptions = new Map();
  const named = new Set<string>();
  const epochs = new Set<number>();
  const totals = { messages: 0, invalid: 0, unreadable: 0, skipped: 0 };
  const first = Math.max(group.before.size, previous?.throughSeq ?? 0) + 1;
  let statementBefore = group.statementBefore;
  let tree: MerkleFrontier = group.before;
  let before = tree;
  let segment = newSegment(primitives, filter);
  const place = { primitives, writer, group: group.group, keys };
  let kept = await keptSummary(place, first);

  async function close(): Promise<void> {
    const { summary: found } = segment;
    if (found === null) return;
    const summary = await writeSegment(place, { ...segment, summary: found }, kept);
    for (const epoch of segment.epochs) epochs.add(epoch);
    for (const blob of summary.attachments) named.add(blob);
    addDescriptions(attachments, segment.attachments);
    totals.messages += summary.messages;
    totals.invalid += sumOf(summary.invalid);
    totals.unreadable += sumOf(summary.unreadable);
    totals.skipped += summary.skipped;
    segment = newSegment(primitives, filter);
    kept = await keptSummary(place, summary.last + 1);
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
      // Where one from before a stop ends, this one ends as well.
      if (kept === null ? segment.isFull : seq === kept.last) await close();
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
  await writeBoxes(options, epochs);
  const root = rootOf(primitives, tree);
  return { archived: { group: group.group, before, throughSeq, root, ...totals }, attachments, named };
}

async function writeBoxes(
  { source, writer, group: { group } }: GroupExport,
  epochs: ReadonlySet<number>,
): Promise<void> {
  async function* boxes(): AsyncGenerator<unknown> {
    for await (const { epoch, box } of source.archiveBoxes(group, epochs))
      if (epochs.has(epoch)) yield { epoch, box: toBase64Url(box) };
  }
  await writer.write(groupFile(group, 'boxes.jsonl'), encodeLines(boxes()));
}
