export { attachmentFiles } from './formats/attachment-files.ts';
export { collectionsIn } from './formats/collections.ts';
export { attachmentsOf, type DerivedFile, type OpenedAttachments } from './formats/derived-file.ts';
export { htmlPages, type HtmlOptions } from './formats/html/html-pages.ts';
export { mailFiles, type MailOptions } from './formats/mail/mails.ts';
export { jsonLines, readJsonLines } from './formats/jsonl.ts';
export { entriesIn, entriesThat, type OpenedEntries, type OpenedEntry } from './formats/opened-entry.ts';
export type { MergeRecords, MergingRecord, RecordChange } from './formats/record-merge.ts';
export {
  recordStates,
  type ChangePlace,
  type RecordOptions,
  type RecordState,
} from './formats/record-states.ts';
export type { ChangesOptions } from './formats/table/changes.ts';
export { csvStates, csvTable } from './formats/table/csv.ts';
export type { StatesOptions } from './formats/table/states.ts';
export { ArchiveError, type ArchiveErrorCode } from './errors.ts';
export { ledgerCsv } from './retention/csv.ts';
export { ledgerPage } from './retention/page.ts';
export { FINDING_WORDS, STATE_WORDS } from './retention/words.ts';
