import { fromBase64Url, fromHex, groupId, toBase64Url } from '@keytide/crypto-core';
import { z } from 'zod';
import type { ByteStream } from '../container/destination.ts';
import { encodeLines, readLines } from '../container/json-lines.ts';
import { parseSegmentLine } from '../container/segment-line.ts';
import { parseStatementLine } from '../container/statement-line.ts';
import { ArchiveError } from '../errors.ts';
import { lineOf } from '../export/lines.ts';
import type { NamedAttachment, SourceEntry } from '../export/source.ts';
import type { OpenedEntries, OpenedEntry } from './opened-entry.ts';

/** Entries as JSON lines, with everything that they say, in the clear: docs/spec/derived-formats.md. */
export function jsonLines(entries: OpenedEntries): AsyncIterable<Uint8Array> {
  return encodeLines(lines(entries()));
}

/** Gives back what `jsonLines` was given. @throws ArchiveError `malformed` */
export async function* readJsonLines(bytes: ByteStream): AsyncGenerator<OpenedEntry, void, undefined> {
  for await (const value of readLines(bytes)) yield parseLine(value);
}

async function* lines(
  entries: AsyncIterable<OpenedEntry> | Iterable<OpenedEntry>,
): AsyncGenerator<object, void, undefined> {
  for await (const { group, name, endMs, entry } of entries) {
    const start = { group, ...(name === null ? {} : { name }), ...(endMs === null ? {} : { endMs }) };
    if (entry.kind === 'statement') yield { ...start, seq: entry.seq, statement: toBase64Url(entry.wire) };
    else {
      const attachments =
        entry.kind === 'message' && entry.attachments.length > 0
          ? entry.attachments.map((named) => ({ ...named, descriptor: toBase64Url(named.descriptor) }))
          : null;
      yield { ...start, ...(lineOf(entry) as object), ...(attachments && { attachments }) };
    }
  }
}

const startSchema = z.object({
  group: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string().optional(),
  endMs: z.int().optional(),
  attachments: z
    .array(z.object({ blob: z.string(), descriptor: z.string(), sizeBytes: z.int().min(0) }))
    .default([]),
});

function parseLine(value: unknown): OpenedEntry {
  const start = startSchema.safeParse(value).data;
  const group = start && fromHex(start.group);
  if (start === undefined || group === undefined || group === null) throw malformed();
  const { name = null, endMs = null } = start;
  return { group: groupId(group), name, endMs, entry: entryIn(value as object, start) };
}

function entryIn(line: object, { attachments }: z.output<typeof startSchema>): SourceEntry {
  if ('statement' in line) return { kind: 'statement', ...parseStatementLine(line) };
  const entry = parseSegmentLine(line);
  return entry.kind === 'message' ? { ...entry, attachments: attachments.map(attachmentIn) } : entry;
}

function attachmentIn(line: z.output<typeof startSchema>['attachments'][number]): NamedAttachment {
  const descriptor = fromBase64Url(line.descriptor);
  if (descriptor === null) throw malformed();
  return { ...line, descriptor };
}

function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'not a line of a derived format');
}
