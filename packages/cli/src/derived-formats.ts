import type { ArchiveFilter, OpenedArchive } from '@keytide/archive';
import {
  attachmentFiles,
  attachmentsOf,
  collectionsIn,
  csvStates,
  csvTable,
  entriesIn,
  entriesThat,
  htmlPages,
  jsonLines,
  mailFiles,
  type DerivedFile,
  type MergeRecords,
  type OpenedAttachments,
  type OpenedEntries,
} from '@keytide/archive/formats';
import { recordMerge } from '@keytide/client/export';
import type { Format } from './choices.ts';
import { organisation } from './organisation.ts';

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
  // What is left out would be missing in records as they stand.
  const merge = Object.keys(filter).length === 0 ? recordMerge(organisation) : null;
  const html = { title, attachments, ...(merge && { merge }) };
  if (formats.includes('html')) yield* htmlPages(entries('html'), html);
  else yield* attachmentFiles(entries('files'), attachments);
  if (formats.includes('jsonl')) yield { name: 'entries.jsonl', content: jsonLines(entries('jsonl')) };
  if (formats.includes('csv')) yield* tables(entries('csv'), { ending: 'csv', merge, ...CSV });
  if (formats.includes('parquet')) {
    const { parquetStates, parquetTable } = await import('@keytide/archive/parquet');
    const writers = { changes: parquetTable, states: parquetStates };
    yield* tables(entries('parquet'), { ending: 'parquet', merge, ...writers });
  }
  if (formats.includes('eml')) yield* mails(entries('eml'), attachments);
}

/** How tables are written. */
interface TableFormat {
  readonly ending: string;
  readonly merge: MergeRecords | null;
  readonly changes: typeof csvTable;
  readonly states: typeof csvStates;
}

const CSV = { changes: csvTable, states: csvStates };

/** One for each collection, and one of its records as they stand. */
async function* tables(
  entries: OpenedEntries,
  { ending, merge, changes, states }: TableFormat,
): AsyncGenerator<DerivedFile, void, undefined> {
  const taken = new Set<string>();
  for (const [collection, kind] of await collectionsIn(entries)) {
    const name = tableName(collection, taken);
    taken.add(name);
    yield { name: `${ending}/${name}.${ending}`, content: changes(entries, { collection }) };
    if (kind === 'log' || merge === null) continue;
    yield { name: `${ending}/${name}.now.${ending}`, content: states(entries, { collection, merge }) };
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
