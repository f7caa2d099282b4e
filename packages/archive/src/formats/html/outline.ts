import { operationIn, type Operation } from '../operation.ts';
import type { OpenedEntries, OpenedEntry } from '../opened-entry.ts';

/** How much a page holds, so that a browser opens it at once. */
const PAGE_ENTRIES = 500;
const PAGE_BYTES = 512 * 1024;

/** What is told of a page before it is opened. */
export interface PageOutline {
  readonly group: string;
  readonly first: number;
  last: number;
  shown: number;
  unreadable: number;
  /** By its writers' clocks; `null` where nothing says. */
  fromMs: number | null;
  toMs: number | null;
}

/** A change of a record: its place, and what it does. */
export interface RecordChange {
  readonly page: number;
  readonly seq: number;
  readonly act: Operation['act'];
  readonly counts: boolean;
}

/** What became of a record. */
export interface RecordHistory {
  /** In the order of the log. */
  readonly changes: RecordChange[];
  /** Of the changes that count. */
  edits: number;
  isRemoved: boolean;
}

/** What has to be known before the first page is written. Some 100 bytes for each change of a record. */
export interface Outline {
  readonly pages: readonly PageOutline[];
  /** Of the record that an operation is of; `null` for one that is of none. */
  historyOf(group: string, operation: Operation): RecordHistory | null;
}

/** Says of each entry, in their order, on which page it is. */
export function pager(): (entry: OpenedEntry) => number {
  let page = 0;
  let group = '';
  let entries = 0;
  let sizeBytes = 0;
  return ({ group: of, entry }) => {
    if (of !== group || entries >= PAGE_ENTRIES || sizeBytes >= PAGE_BYTES) {
      page += 1;
      entries = 0;
      sizeBytes = 0;
      group = of;
    }
    entries += 1;
    sizeBytes += entry.kind === 'statement' ? 0 : entry.envelope.length;
    return page;
  };
}

/** Reads all entries that a reader is shown: epoch statements are not for people. */
export async function* shownIn(entries: OpenedEntries): AsyncGenerator<OpenedEntry, void, undefined> {
  for await (const opened of entries()) if (opened.entry.kind !== 'statement') yield opened;
}

/** Reads everything once. */
export async function outlineOf(entries: OpenedEntries): Promise<Outline> {
  const pages: PageOutline[] = [];
  const records = new Map<string, RecordHistory>();
  const pageOf = pager();
  for await (const opened of shownIn(entries)) {
    const { group, entry } = opened;
    const page = pageOf(opened);
    const { seq } = entry;
    if (page > pages.length)
      pages.push({ group, first: seq, last: seq, shown: 0, unreadable: 0, fromMs: null, toMs: null });
    const outline = pages[page - 1] as PageOutline;
    outline.last = seq;
    outline.shown += 1;
    if (entry.kind !== 'message') {
      outline.unreadable += 1;
      continue;
    }
    const operation = operationIn(entry.payload);
    if (operation === null) continue;
    outline.fromMs = Math.min(outline.fromMs ?? operation.ms, operation.ms);
    outline.toMs = Math.max(outline.toMs ?? operation.ms, operation.ms);
    if (operation.act === 'append') continue;
    const key = keyOf(group, operation);
    const history = records.get(key) ?? { changes: [], edits: 0, isRemoved: false };
    const counts = entry.invalid === null;
    history.changes.push({ page, seq, act: operation.act, counts });
    if (counts && operation.act === 'edit') history.edits += 1;
    if (counts && operation.act === 'remove') history.isRemoved = true;
    records.set(key, history);
  }
  return { pages, historyOf: (group, operation) => records.get(keyOf(group, operation)) ?? null };
}

function keyOf(group: string, { collection, item }: Operation): string {
  return `${group}/${item}/${collection}`;
}

/** The file of a page, from beside it. */
export function pageFile(page: number): string {
  return `${String(page).padStart(6, '0')}.html`;
}
