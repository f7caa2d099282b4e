import type { ArchiveStats, CodeCounts, GroupStats } from '@keytide/archive';
import { toHex } from '@keytide/crypto-core';
import { filterText } from './filter-text.ts';
import { isoTime } from './timestamps.ts';

/** What is in an archive, for programs. */
export function summaryOf({ signed, groups, attachments, recipients, files }: ArchiveStats): object {
  const { org, id, createdMs, device, previous, filter } = signed.manifest;
  const since = previous && toHex(previous);
  return {
    ...{ id: toHex(id), org, created: isoTime(createdMs), device, since, filter },
    ...{ signatures: signed.signatures.length, recipients, groups, attachments, files },
  };
}

/** The same for people; `members` are those whose names are known. */
export function summaryLines(
  stats: ArchiveStats,
  members: readonly { readonly id: string; readonly handle: string }[] = [],
): string[] {
  const { signed, groups, attachments, recipients, files } = stats;
  const { org, id, createdMs, device, previous, filter } = signed.manifest;
  const rows: [string, string][] = [
    ['archive', toHex(id)],
    ['org', org],
    ['made', `${isoTime(createdMs) ?? '?'} by device ${device}`],
    ...(previous === null ? [] : [['since', `the archive before, ${toHex(previous)}`] as [string, string]]),
    ...(filter === null ? [] : [['filter', filterText(filter, members)] as [string, string]]),
    ...groups.flatMap(groupRows),
    [
      'attachments',
      `${attachments.present}, ${size(attachments.sizeBytes)}${codesText(', missing', attachments.missing)}`,
    ],
    [
      'opened by',
      recipients === null
        ? 'nobody: nothing is sealed'
        : `${recipients} ${recipients === 1 ? 'key' : 'keys'}`,
    ],
    ['signatures', `${signed.signatures.length}`],
    ['files', `${files.count}, ${size(files.sizeBytes)}`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}`);
}

function groupRows(group: GroupStats): [string, string][] {
  const { firstSeq, throughSeq, segments, messages, statements, skipped, invalid, unreadable } = group;
  return [
    ['group', group.group],
    [
      'entries',
      throughSeq < firstSeq
        ? 'none'
        : `${firstSeq} to ${throughSeq}, in ${segments} ${segments === 1 ? 'segment' : 'segments'}`,
    ],
    ['messages', `${messages}${codesText(', of which count for nothing', invalid)}`],
    ['unreadable', codesText('', unreadable).trim() || 'nothing'],
    ...(skipped === 0 ? [] : [['left out', `${skipped} by the filter`] as [string, string]]),
    ['epochs', `${statements}`],
  ];
}

/** `, missing 2 attachment-gone`; nothing where there is none. */
function codesText(what: string, codes: CodeCounts): string {
  const list = Object.entries(codes).map(([code, count]) => `${count} ${code}`);
  return list.length === 0 ? '' : `${what} ${list.join(', ')}`;
}

function size(bytes: number): string {
  let [value, unit] = [bytes, 'B'];
  for (const next of ['KB', 'MB', 'GB', 'TB']) {
    if (value < 1000) break;
    [value, unit] = [value / 1000, next];
  }
  return `${unit === 'B' ? value : value.toFixed(1)} ${unit}`;
}
