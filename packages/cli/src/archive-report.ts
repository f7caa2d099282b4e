import {
  ArchiveError,
  type ArchiveReport,
  type Finding,
  type GroupReport,
  type SignedManifest,
  type VerifyLevel,
} from '@keytide/archive';
import { equalBytes, toHex } from '@keytide/crypto-core';
import { formatTable } from './table.ts';
import { isoTime } from './timestamps.ts';
import { filterLine, verdictText } from './verdict-text.ts';

const LEVELS: readonly VerifyLevel[] = ['structure', 'hashes', 'completeness', 'references', 'decryption'];
/** Lines for people; `--json` has them all. */
const MAX_LINES = 50;
const MAX_PROVEN = 5;

/** What a verification has come to, for programs. */
export function reportOf({ archive, ...report }: ArchiveReport): object {
  if (archive === null) return { ...report, archive };
  const { id, createdMs, manifest: _, ...rest } = archive;
  return { ...report, archive: { id: toHex(id), created: isoTime(createdMs), ...rest } };
}

/** Whether nothing is wrong with an archive but that admins are yet to approve it. */
export function lacksOnlyApprovals({ verdict, findings, findingCount }: ArchiveReport): boolean {
  const isAbout = ({ code, weight }: Finding): boolean => weight === 'note' || code === 'approval-needed';
  return verdict === 'unsound' && findingCount === findings.length && findings.every(isAbout);
}

/** Whether nothing is wrong with an archive but that files lie in it which are not of it. */
export function hasOnlyStrangers({ verdict, findings, findingCount }: ArchiveReport): boolean {
  const isAbout = ({ code, weight }: Finding): boolean => weight === 'note' || code === 'unexpected-file';
  return verdict === 'unsound' && findingCount === findings.length && findings.every(isAbout);
}

/** What to do then. */
export const STRANGERS =
  'What was written of the archive is as it was: move the files that are not of it out of the folder, and run the command again.';

/**
 * Before something is done with what one reading of a place has shown: that it is what another, the verification, has
 * found.
 * @throws ArchiveError `damaged`
 */
export function requireSame({ archive }: ArchiveReport, { bytes }: Pick<SignedManifest, 'bytes'>): void {
  if (archive === null || !equalBytes(archive.manifest.bytes, bytes))
    throw new ArchiveError('damaged', 'the place shows another archive than was verified');
}

/** A report for people: each level, what is proved, and what is wrong. */
export function reportLines(report: ArchiveReport): string[] {
  const { archive, groups, findings, findingCount, attachments, files } = report;
  const levels = LEVELS.map((level) => [level, stateOf(report, level)]);
  const shown = findings.slice(0, MAX_LINES).map(({ level, code, weight, detail, ...at }) => {
    return [weight, level, code, placeOf(at), detail ?? ''];
  });
  const filter = filterLine(report);
  return [
    ...(archive === null ? [] : [`archive ${toHex(archive.id)}`, `org     ${archive.org}`]),
    ...(filter === null ? [] : [`filter  ${filter}`]),
    `${files.count} files, ${files.sizeBytes} bytes; attachments: ${attachments.present}, missing: ${attachments.missing}`,
    ...formatTable(LEVEL_COLUMNS, levels),
    ...groups.flatMap(provenLines),
    ...openedLines(report),
    ...(shown.length === 0 ? [] : formatTable(FINDING_COLUMNS, shown)),
    ...(findingCount > shown.length
      ? [`and ${findingCount - shown.length} more: --json lists a thousand`]
      : []),
    verdictText(report),
  ];
}

function stateOf({ levels, findings }: ArchiveReport, level: VerifyLevel): string {
  if (!levels.includes(level)) return 'not looked at';
  const faults = findings.filter((finding) => finding.level === level && finding.weight === 'fault').length;
  return faults === 0 ? 'good' : `faults: ${faults}`;
}

function provenLines({ firstSeq, throughSeq, provenThrough }: GroupReport): string[] {
  const end = throughSeq < firstSeq ? 'no entries' : `entries ${firstSeq} to ${throughSeq}`;
  const [furthest] = provenThrough;
  return [
    `${end}; what comes after ${furthest?.seq ?? firstSeq - 1} rests on the exporter's word`,
    ...provenThrough
      .slice(0, MAX_PROVEN)
      .map(
        ({ seq, members, devices }) => `  through ${seq} signed by members: ${members}, devices: ${devices}`,
      ),
  ];
}

function openedLines({ decryption }: ArchiveReport): string[] {
  if (decryption === null) return [];
  const { segments, attachments, sample } = decryption;
  const opened = `opened: ${segments.opened} of ${segments.total} segments, ${attachments.opened} of ${attachments.total} attachments`;
  return [sample === null ? opened : `${opened}, chosen by ${sample.seed}`];
}

function placeOf({ file, seq }: Pick<Finding, 'file' | 'seq'>): string {
  return [file ?? '', seq === null ? '' : `seq ${seq}`].filter((part) => part !== '').join(', ');
}

const LEVEL_COLUMNS = [
  { heading: 'LEVEL', maxWidth: 14 },
  { heading: 'RESULT', maxWidth: 20 },
];
const FINDING_COLUMNS = [
  { heading: 'WEIGHT', maxWidth: 6 },
  { heading: 'LEVEL', maxWidth: 14 },
  { heading: 'FINDING', maxWidth: 22 },
  { heading: 'WHERE', maxWidth: 130 },
  { heading: 'DETAIL', maxWidth: 64 },
];
