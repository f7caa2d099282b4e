import type { ArchiveFilter, OpenedArchive } from '@keytide/archive';
import {
  attachmentFiles,
  attachmentsOf,
  collectionsIn,
  csvTable,
  entriesIn,
  entriesThat,
  htmlPages,
  jsonLines,
  mailFiles,
  type DerivedFile,
  type OpenedAttachments,
  type OpenedEntries,
} from '@keytide/archive/formats';

/** In what forms an archive can be had in the clear; docs/spec/derived-formats.md. */
export const FORMATS = ['html', 'jsonl', 'csv', 'eml'] as const;
export type Format = (typeof FORMATS)[number];

/** What is derived. */
export interface Deriving {
  readonly formats: readonly Format[];
  readonly title: string;
  readonly filter: ArchiveFilter;
  /** Called each time that everything is read, for a format; what it gives is called after each entry. */
  onPass(stage: Format | 'files'): () => void;
}

/** The files of an archive in the clear: of each format, and what is attached. Each is written before the next is asked for. */
export async function* derivedFiles(
  opened: OpenedArchive,
  { formats, title, filter, onPass }: Deriving,
): AsyncGenerator<DerivedFile, void, undefined> {
  const all = entriesIn(opened);
  const attachments = attachmentsOf(opened);
  const entries = (stage: Format | 'files'): OpenedEntries =>
    entriesThat(async function* () {
      const onEntry = onPass(stage);
      for await (const entry of all()) {
        onEntry();
        yield entry;
      }
    }, filter);
  if (formats.includes('html')) yield* htmlPages(entries('html'), { title, attachments });
  else yield* attachmentFiles(entries('files'), attachments);
  if (formats.includes('jsonl')) yield { name: 'entries.jsonl', content: jsonLines(entries('jsonl')) };
  if (formats.includes('csv')) yield* tables(entries('csv'));
  if (formats.includes('eml')) yield* mails(entries('eml'), attachments);
}

async function* tables(entries: OpenedEntries): AsyncGenerator<DerivedFile, void, undefined> {
  const taken = new Set<string>();
  for (const collection of (await collectionsIn(entries)).keys()) {
    const name = tableName(collection, taken);
    taken.add(name);
    yield { name: `csv/${name}.csv`, content: csvTable(entries, { collection }) };
  }
}

/** What a collection is called, where that is a name for a file and no other has it: what peers wrote names no files. */
function tableName(collection: string, taken: ReadonlySet<string>): string {
  const plain = collection.toLowerCase();
  const isName = /^[a-z0-9][a-z0-9-]{0,39}$/.test(plain) && !/^(?:con|prn|aux|nul|com\d|lpt\d)$/.test(plain);
  return isName && !taken.has(plain) ? plain : `collection.${taken.size + 1}`;
}

async function* mails(
  entries: OpenedEntries,
  attachments: OpenedAttachments,
): AsyncGenerator<DerivedFile, void, undefined> {
  for (const [collection, kind] of await collectionsIn(entries)) {
    if (kind !== 'log') continue;
    for await (const { name, content } of mailFiles(entries, { collection, attachments }))
      yield { name: `mails/${name}`, content };
  }
}
