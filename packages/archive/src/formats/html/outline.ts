import { operationIn, type Operation } from '../operation.ts';
import { countsIn, type OpenedEntries, type OpenedEntry } from '../opened-entry.ts';
import type { MergeRecords } from '../record-merge.ts';
import { newStates, type RecordState } from '../record-states.ts';

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
  /** By the writer's clock. */
  readonly ms: number;
  /** Of the writer; the member's id where there is none. */
  readonly name: string;
}

/** What became of a record. */
export interface RecordHistory {
  /** In the order of the log. */
  readonly changes: RecordChange[];
  /** Of the changes that count. */
  edits: number;
  isRemoved: boolean;
  /** Where the record stands among the states; `null` where it is not there. */
  place: number | null;
}

/** What has to be known before the first page is written. Some 100 bytes for each change of a record. */
export interface Outline {
  readonly pages: readonly PageOutline[];
  /** The records as they stand. From the start each time. */
  states(): Iterable<RecordState>;
  readonly stateCount: number;
  /** Of the record that an operation is of; `null` for one that is of none. */
  historyOf(group: string, operation: RecordName): RecordHistory | null;
}

/** What names a record in a group. */
type RecordName = Pick<Operation, 'collection' | 'item'>;

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

/** Reads everything once. Without `merge` there are no states. */
export async function outlineOf(entries: OpenedEntries, merge: MergeRecords | null): Promise<Outline> {
  const pages: PageOutline[] = [];
  const records = new Map<string, RecordHistory>();
  const states = merge === null ? null : newStates(merge);
  const names = new Map<string, string>();
  const pageOf = pager();
  for await (const opened of shownIn(entries)) {
    const { group, entry, name } = opened;
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
    const history = records.get(key) ?? { changes: [], edits: 0, isRemoved: false, place: null };
    const counts = states === null ? countsIn(entry) : states.take(opened);
    const who = name ?? entry.member;
    // One text for each writer, however often it was read.
    if (!names.has(who)) names.set(who, who);
    history.changes.push({
      ...{ page, seq, act: operation.act, counts, ms: operation.ms, name: names.get(who) as string },
    });
    if (counts && operation.act === 'edit') history.edits += 1;
    if (counts && operation.act === 'remove') history.isRemoved = true;
    records.set(key, history);
  }
  const historyOf: Outline['historyOf'] = (group, named) => records.get(keyOf(group, named)) ?? null;
  let stateCount = 0;
  for (const { group, collection, id: item } of states?.all() ?? []) {
    const history = historyOf(group, { collection, item });
    if (history !== null) history.place = stateCount;
    stateCount += 1;
  }
  return { pages, historyOf, states: () => states?.all() ?? [], stateCount };
}

function keyOf(group: string, { collection, item }: RecordName): string {
  return `${group}/${item}/${collection}`;
}

/** How many records are on a page of states. */
export const PAGE_RECORDS = 100;

/** Where a record stands among the states, from `index.html`. */
export function recordFile(place: number): string {
  return `records/${pageFile(1 + Math.floor(place / PAGE_RECORDS))}#r${place + 1}`;
}

/** The file of a page, from beside it. */
export function pageFile(page: number): string {
  return `${String(page).padStart(6, '0')}.html`;
}
