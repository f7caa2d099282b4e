import { element, escapeText } from '../aggregates/xml.ts';
import type { Markup } from '../formats/html/markup.ts';
import type { LedgerRow, RetentionLedger } from './ledger.ts';

/** From when to when a ledger's pictures go. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const WIDTH = 300;
const HEIGHT = 22;
const DAY_MS = 86_400_000;

/** The time in which anything of a ledger was written or is due, and now. */
export function spanOf({ rows, madeMs }: RetentionLedger): Span {
  const times = rows.flatMap(({ writtenFromMs, dueMs }) => [writtenFromMs ?? madeMs, dueMs ?? madeMs]);
  const fromMs = times.reduce((least, ms) => Math.min(least, ms), madeMs);
  const toMs = times.reduce((most, ms) => Math.max(most, ms), madeMs);
  return { fromMs, toMs: Math.max(toMs, fromMs + DAY_MS) };
}

/**
 * A row as a picture: a block for when it was written, a line up to when it is due, a triangle for each archive, a ring
 * for each word that it was exported, a cross where it was deleted; now is a dotted line. `said` is the same in words.
 */
export function rowBar(ledger: RetentionLedger, row: LedgerRow, span: Span, said: string): Markup {
  const { writtenFromMs, writtenToMs, dueMs, archives, acknowledged, deletion } = row;
  // Whoever signs a time far off stands at the edge.
  const x = (ms: number): number => {
    const part = (Math.min(Math.max(ms, span.fromMs), span.toMs) - span.fromMs) / (span.toMs - span.fromMs);
    return Math.round((6 + part * (WIDTH - 12)) * 10) / 10;
  };
  const line = (x1: number, y1: number, x2: number, y2: number, more: object = {}): string =>
    element('line', { x1, y1, x2, y2, stroke: 'currentColor', ...more }, []);
  const marks: string[] = [
    line(x(ledger.madeMs), 0, x(ledger.madeMs), HEIGHT, { 'stroke-dasharray': '2 2' }),
  ];
  if (writtenFromMs !== null && writtenToMs !== null) {
    const width = Math.max(3, x(writtenToMs) - x(writtenFromMs));
    marks.push(element('rect', { x: x(writtenFromMs), y: 8, width, height: 8, fill: 'currentColor' }, []));
    if (dueMs !== null) marks.push(line(x(writtenToMs), 12, x(dueMs), 12), line(x(dueMs), 7, x(dueMs), 17));
  }
  for (const place of archives) {
    const at = x(ledger.archives[place]?.createdMs ?? ledger.madeMs);
    marks.push(element('path', { d: `M${at - 4} 21h8l-4 -7z`, fill: 'currentColor' }, []));
  }
  for (const { exportedMs } of acknowledged)
    marks.push(element('circle', { cx: x(exportedMs), cy: 5, r: 3, ...OUTLINE }, []));
  if (deletion !== null) {
    const at = x(deletion.deletedMs);
    marks.push(element('path', { d: `M${at - 4} 8l8 8m0 -8l-8 8`, ...OUTLINE, 'stroke-width': 2 }, []));
  }
  const svg = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: 'img' };
  return { safe: element('svg', svg, [element('title', {}, [escapeText(said)]), ...marks]) };
}

const OUTLINE = { fill: 'none', stroke: 'currentColor' };
