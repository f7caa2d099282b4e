import type { ArchiveReport } from '@keytide/archive';
import { filterText } from './filter-text.ts';

/** The verdict for people: an archive that is sound need not have everything, nor be readable by anybody. */
export function verdictText({ verdict, archive, groups, attachments }: ArchiveReport): string {
  if (verdict !== 'sound') return verdict;
  const unreadable = groups.reduce((sum, group) => sum + group.unreadable, 0);
  const messages = groups.reduce((sum, group) => sum + group.messages, 0);
  const { present, missing } = attachments;
  return [
    archive === null || archive.filter === null ? 'sound' : 'sound, and not everything: made with a filter',
    ...(unreadable === 0 ? [] : [`${unreadable} of ${unreadable + messages} messages cannot be read`]),
    ...(missing === 0 ? [] : [`${missing} of ${missing + present} attachments are not in it`]),
  ].join('; ');
}

/** What an archive was made with, and how much that has left out; `null` for one with everything. */
export function filterLine({ archive, groups }: ArchiveReport): string | null {
  if (archive === null || archive.filter === null) return null;
  const skipped = groups.reduce((sum, group) => sum + group.skipped, 0);
  return `${filterText(archive.filter, archive.filterMembers)}; messages left out: ${skipped}`;
}
