/** Which messages an archive has: those that fit all that is given. Docs/spec/archive.md, "The signed manifest". */
export interface ArchiveFilter {
  /** Whose: 32 hex digits each. */
  readonly members?: readonly string[];
  readonly collections?: readonly string[];
  /** From when on by their writers' clocks, milliseconds since 1970. */
  readonly fromMs?: number;
  /** Before when. */
  readonly toMs?: number;
}

/** What a filter looks at; `null` where the message does not say. */
export interface Filtered {
  readonly member: string;
  readonly collection: string | null;
  readonly ms: number | null;
}

/** Whether a message fits. One that does not say what is asked for fits. */
export function fits(
  { members, collections, fromMs, toMs }: ArchiveFilter,
  { member, collection, ms }: Filtered,
): boolean {
  if (members !== undefined && !members.includes(member)) return false;
  if (collections !== undefined && collection !== null && !collections.includes(collection)) return false;
  if (ms === null) return true;
  return (fromMs === undefined || ms >= fromMs) && (toMs === undefined || ms < toMs);
}
