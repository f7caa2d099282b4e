import type { ArchiveFilter } from '@keytide/archive';
import { isoTime } from './timestamps.ts';

/** A member whom a filter may name. */
interface NamedMember {
  readonly id: string;
  readonly handle: string;
}

const DAY_MS = 86_400_000;

/** What a filter takes, for people: `only what is from Ada (0d9d1c2e); of chat; since 2026-01-01`. Handles are not unique. */
export function filterText(
  { members, collections, fromMs, toMs }: ArchiveFilter,
  known: readonly NamedMember[],
): string {
  const nameOf = (id: string): string => {
    const member = known.find((one) => one.id === id);
    return member === undefined ? id : `${member.handle} (${id.slice(0, 8)})`;
  };
  const parts = [
    ...(members === undefined ? [] : [`from ${listOf(members.map(nameOf))}`]),
    ...(collections === undefined ? [] : [`of ${listOf(collections)}`]),
    ...(fromMs === undefined ? [] : [`since ${timeText(fromMs)}`]),
    ...(toMs === undefined ? [] : [`before ${timeText(toMs)}`]),
  ];
  return `only what is ${parts.join('; ')}`;
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'nobody' : names.join(', ');
}

/** A day where it is one. */
function timeText(ms: number): string {
  const text = isoTime(ms);
  if (text === null) return '?';
  return ms % DAY_MS === 0 ? text.slice(0, 10) : text;
}
