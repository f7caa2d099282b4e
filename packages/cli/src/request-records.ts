import type { AggregateRecord } from '@keytide/archive/aggregates';
import type { HelpRequest } from './organisation.ts';

/** What a declaration of aggregates can name of a request: texts, by which requests are put into categories. */
export const CATEGORY_FIELDS = ['kind', 'title', 'township', 'status'] as const;

/** Requests as aggregates see them, and how many have no time that says in which period they are. */
export interface RequestRecords {
  readonly records: readonly AggregateRecord[];
  readonly timeless: number;
}

/** @param requests by id, in an order that does not change */
export function requestRecords(requests: Iterable<{ id: string; body: HelpRequest }>): RequestRecords {
  const records: AggregateRecord[] = [];
  let timeless = 0;
  for (const { id, body } of requests) {
    const reportedAt = wallTime(body.reportedAt);
    if (reportedAt === null) timeless += 1;
    else records.push(recordOf(id, body, reportedAt));
  }
  return { records, timeless };
}

function recordOf(id: string, { title, township, status }: HelpRequest, reportedAt: number): AggregateRecord {
  const kind = (title.split(':')[0] as string).trim();
  // The second half of a record's id is the member who created it.
  const owner = id.slice(id.length / 2);
  return { reportedAt, hour: new Date(reportedAt).getUTCHours(), kind, title, township, status, owner };
}

/** `2016-01-15 12:01`, to the second or the minute: what the clock on the wall said, as if it were UTC. */
function wallTime(text: string): number | null {
  const [, date, time] = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)$/.exec(text.trim()) ?? [];
  const ms = date === undefined ? Number.NaN : Date.parse(`${date}T${time}Z`);
  // There is no 30 February, though some runtimes read one.
  return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(date as string) ? null : ms;
}
