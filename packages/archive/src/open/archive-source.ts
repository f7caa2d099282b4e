import {
  contentCheck,
  fromBase64Url,
  parseAttachmentDescriptor,
  type GroupId,
  type Primitives,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { openAge } from '../age/age-file.ts';
import type { AgeIdentity } from '../age/hybrid.ts';
import { readEpochKeys } from '../container/epoch-keys.ts';
import { readLines } from '../container/json-lines.ts';
import { attachmentFile, groupFile, NAMES, segmentFile, type Stretch } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import type { SignedManifest } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import type { ExportSource, NamedAttachment, SourceEntry } from '../export/source.ts';
import type { ListedAttachments } from '../verify/references.ts';
import { segmentsIn } from '../verify/segments.ts';
import { segmentEntries } from './group-entries.ts';
import type { VerifiedFiles } from './verified-files.ts';

/** What an archive is exported from. */
interface ArchiveSourceOptions {
  readonly primitives: Primitives;
  readonly identities: readonly AgeIdentity[];
  readonly files: VerifiedFiles;
  readonly attachments: ListedAttachments;
  readonly signed: SignedManifest;
}

const MAX_FILE_BYTES = 1024 * 1024;
const wireSchema = z.object({ wire: z.string() });
const boxSchema = z.object({ epoch: z.int().min(1), box: z.string() });

/** An archive as the source of another: the same lines, the same keys, the same attachments. */
export function archiveSource(options: ArchiveSourceOptions): ExportSource {
  const { primitives, identities, files, attachments, signed } = options;
  const { manifest } = signed;
  const segments = segmentsIn(files.names());
  const opened = (name: string) => openAge(files.read(name), { primitives, identities });
  const optional = (name: string): Promise<Uint8Array | null> =>
    files.has(name) ? readFile(files, name, MAX_FILE_BYTES) : Promise.resolve(null);

  /** Those that were named when it was made. */
  function listedOf(entry: SourceEntry): SourceEntry {
    if (entry.kind !== 'message') return entry;
    return { ...entry, attachments: entry.attachments.filter(({ blob }) => attachments.has(blob)) };
  }

  return {
    org: manifest.org,
    async *membership() {
      for await (const value of readLines(files.read(NAMES.membership)))
        yield bytesIn(wireSchema.safeParse(value).data?.wire);
    },
    checkpoint: () => optional(NAMES.checkpoint),
    archiveKeySet: () => optional(NAMES.archiveKeySet),
    async groups() {
      const groups = [];
      for (const { group, before, throughSeq } of manifest.groups) {
        const statementBefore = await optional(groupFile(group, 'statement-before'));
        groups.push({ group, before, throughSeq, statementBefore });
      }
      return groups;
    },
    async *entries(group, fromSeq, throughSeq) {
      let next = fromSeq;
      for (const stretch of stretchesOf(segments, group, fromSeq, throughSeq)) {
        if (stretch.first > next) throw new ArchiveError('damaged', 'a segment is not there');
        let seq = stretch.first;
        for await (const entry of segmentEntries({ primitives, identities, files, group }, stretch)) {
          if (seq >= fromSeq && seq <= throughSeq && entry !== null) yield listedOf(entry);
          seq += 1;
        }
        next = seq;
      }
      if (next <= throughSeq) throw new ArchiveError('damaged', 'a segment is not there');
    },
    async *epochKeys(group) {
      for (const stretch of segments.get(group) ?? [])
        for await (const found of readEpochKeys(opened(segmentFile(group, stretch, 'keys.age')))) {
          yield found;
          found.key.dispose();
        }
    },
    async *archiveBoxes(group, epochs) {
      for await (const value of readLines(files.read(groupFile(group, 'boxes.jsonl')))) {
        const line = boxSchema.safeParse(value).data;
        const box = bytesIn(line?.box);
        if (line !== undefined && epochs.has(line.epoch)) yield { epoch: line.epoch, box };
      }
    },
    async *attachment(named) {
      const missing = attachments.get(named.blob)?.missing;
      if (missing === undefined || missing !== null)
        throw new MissingAttachment(missing ?? 'attachment-gone');
      yield* described(primitives, named, opened(attachmentFile(named.blob)));
    },
    missingCodeOf: (error) => (error instanceof MissingAttachment ? error.code : null),
  };
}

/** An attachment that the archive lists as missing, or has with another content than this description says. */
class MissingAttachment extends Error {
  readonly code: string;

  constructor(code: string) {
    super('the attachment is not in the archive');
    this.code = code;
  }
}

/** The content, whose end is given only when all of it is what its sender described. */
async function* described(
  primitives: Primitives,
  { descriptor: bytes }: NamedAttachment,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const descriptor = parseAttachmentDescriptor(bytes);
  const check = contentCheck(primitives, descriptor);
  try {
    let held = new Uint8Array() as Uint8Array;
    for await (const piece of content) {
      yield held;
      check.push(piece);
      held = piece;
    }
    if (!check.isDescribed()) throw new MissingAttachment('tampered');
    yield held;
  } finally {
    descriptor.key.dispose();
  }
}

function stretchesOf(
  segments: ReadonlyMap<string, readonly Stretch[]>,
  group: GroupId,
  fromSeq: number,
  throughSeq: number,
): readonly Stretch[] {
  return (segments.get(group) ?? []).filter(({ first, last }) => last >= fromSeq && first <= throughSeq);
}

function bytesIn(text: string | undefined): Uint8Array {
  const bytes = text === undefined ? null : fromBase64Url(text);
  if (bytes === null) throw new ArchiveError('malformed', 'not a line of an archive');
  return bytes;
}
