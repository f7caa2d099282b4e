export { csvTable, type CsvOptions } from './formats/csv.ts';
export { attachmentsOf, type DerivedFile, type OpenedAttachments } from './formats/derived-file.ts';
export { htmlPages, type HtmlOptions } from './formats/html/html-pages.ts';
export { mailFiles, type MailOptions } from './formats/mail/mails.ts';
export { jsonLines, readJsonLines } from './formats/jsonl.ts';
export { entriesIn, type OpenedEntries, type OpenedEntry } from './formats/opened-entry.ts';
export { ArchiveError, type ArchiveErrorCode } from './errors.ts';
