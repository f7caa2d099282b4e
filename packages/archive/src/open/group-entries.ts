import { equalBytes, type GroupId, type Primitives } from '@keytide/crypto-core';
import { openAge } from '../age/age-file.ts';
import type { AgeIdentity } from '../age/hybrid.ts';
import type { ArchiveFiles } from '../container/destination.ts';
import { readLines } from '../container/json-lines.ts';
import { segmentFile, type Stretch } from '../container/names.ts';
import { parseSegmentLine } from '../container/segment-line.ts';
import { ArchiveError } from '../errors.ts';
import { leafOf } from '../export/segment.ts';
import type { SourceEntry } from '../export/source.ts';
import { readLeaves } from '../verify/log-tree.ts';
import { parseStatementLine } from '../container/statement-line.ts';

/** What a segment is read with. */
export interface SegmentReading {
  readonly primitives: Primitives;
  readonly identities: readonly AgeIdentity[];
  readonly files: Pick<ArchiveFiles, 'read'>;
  readonly group: GroupId;
}

/**
 * The entries of a segment, each of them the one whose leaf stands at its seq; `null` for one that a filter left out.
 * @throws ArchiveError `damaged`, `malformed`, `no-identity`
 */
export async function* segmentEntries(
  { primitives, identities, files, group }: SegmentReading,
  stretch: Stretch,
): AsyncGenerator<SourceEntry | null, void, undefined> {
  const name = (part: 'age' | 'statements.jsonl'): string => segmentFile(group, stretch, part);
  const statements = readLines(files.read(name('statements.jsonl')));
  const lines = readLines(openAge(files.read(name('age')), { primitives, identities }));
  try {
    let statement = await nextOf(statements, statementEntry);
    let line = await nextOf(lines, parseSegmentLine);
    let seq = stretch.first;
    for await (const leaf of readLeaves(files, group, stretch)) {
      const entry: SourceEntry | null = statement?.seq === seq ? statement : line?.seq === seq ? line : null;
      if (entry !== null && !equalBytes(leafOf(primitives, entry), leaf)) throw damaged();
      if (entry !== null && entry === statement) statement = await nextOf(statements, statementEntry);
      else if (entry !== null) line = await nextOf(lines, parseSegmentLine);
      yield entry;
      seq += 1;
    }
    if (statement !== null || line !== null) throw damaged();
  } finally {
    await statements.return();
    await lines.return();
  }
}

async function nextOf<T>(values: AsyncIterator<unknown>, parse: (value: unknown) => T): Promise<T | null> {
  const next = await values.next();
  return next.done === true ? null : parse(next.value);
}

function statementEntry(value: unknown): Extract<SourceEntry, { kind: 'statement' }> {
  return { kind: 'statement', ...parseStatementLine(value) };
}

function damaged(): ArchiveError {
  return new ArchiveError('damaged', 'a line is not the entry at its place');
}
