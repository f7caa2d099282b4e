import type { ArchiveFilter, ArchiveReport, OpenedArchive } from '@keytide/archive';
import { toHex } from '@keytide/crypto-core';
import { filterText } from './filter-text.ts';
import { terminalText } from './terminal-text.ts';
import { isoTime } from './timestamps.ts';
import { filterLine, verdictText } from './verdict-text.ts';

/** What was opened, and what of it was written. */
interface WrittenPlain {
  readonly report: ArchiveReport;
  readonly members: OpenedArchive['members'];
  /** What was chosen of the archive. */
  readonly filter: ArchiveFilter;
  /** The first parts of the names of what was written. */
  readonly written: ReadonlySet<string>;
  readonly leftOut: readonly { readonly file: string; readonly code: string }[];
}

/** Of what is written, what somebody begins with. */
const HERE: readonly (readonly [string, string])[] = [
  ['index.html', 'for a browser: begin there'],
  ['entries.jsonl', 'one entry a line'],
  ['csv', 'a table for each collection'],
  ['parquet', 'a table for each collection'],
  ['mails', 'a mail for each message'],
  ['attachments', 'what was attached'],
];
const MAX_LEFT_OUT = 20;

/** What lies beside an opened archive, for whoever finds it: from what it is, what it lacks, and that it is in the clear. */
export function aboutText({ report, members, filter, written, leftOut }: WrittenPlain): string {
  const { archive, levels, findings } = report;
  const made = archive === null ? [] : madeLines(archive);
  const filtered = filterLine(report);
  const faults = findings.filter(({ weight }) => weight === 'fault').map(({ code }) => code);
  return [
    'THIS IS PLAINTEXT. It was opened from an encrypted archive of Keytide: whoever gets at it reads it.',
    'Delete this folder when it has served; the archive stays what it was.',
    '',
    ...made,
    `Verified       ${verdictText(report)}; looked at: ${levels.join(', ')}`,
    ...(faults.length === 0 ? [] : [`Found          ${[...new Set(faults)].join(', ')}`]),
    ...(filtered === null ? [] : [`Made with      a filter: ${filtered}`]),
    ...(Object.keys(filter).length === 0 ? [] : [`Chosen         ${filterText(filter, members)}`]),
    ...leftOut.slice(0, MAX_LEFT_OUT).map(({ file, code }) => `Not here       ${file}, ${code}`),
    ...(leftOut.length > MAX_LEFT_OUT ? [`               and ${leftOut.length - MAX_LEFT_OUT} more`] : []),
    '',
    ...HERE.filter(([name]) => written.has(name)).map(([name, what]) => `${name.padEnd(14)} ${what}`),
    '',
  ]
    .map(terminalText)
    .join('\n');
}

function madeLines({ id, org, createdMs, exporter }: NonNullable<ArchiveReport['archive']>): string[] {
  return [
    `Archive        ${toHex(id)}`,
    `Organisation   ${org}`,
    `Made           ${isoTime(createdMs) ?? '?'} by device ${exporter}`,
  ];
}
