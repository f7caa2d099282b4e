/** Milliseconds since 1970 as ISO 8601 in UTC; `null` outside what a calendar can hold. */
export function isoTime(timeMs: number): string | null {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** Local time for people: `14:05`, with the date when it is not today's. */
export function clockTime(timeMs: number, nowMs: number): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return '--:--';
  const time = `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
  const day = dayOf(date);
  return day === dayOf(new Date(nowMs)) ? time : `${day} ${time}`;
}

/** Local date and time for people, for lists that reach back: `2026-03-02 14:05`. */
export function dateTime(timeMs: number): string {
  return clockTime(timeMs, Number.NaN);
}

function dayOf(date: Date): string {
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
