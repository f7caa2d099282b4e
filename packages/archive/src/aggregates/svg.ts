import { barMarks } from './chart-bars.ts';
import { columnMarks, lineMarks } from './chart-columns.ts';
import { chartItems, type ChartItem } from './chart-items.ts';
import { badQuery } from './query.ts';
import type { AggregateTable } from './table.ts';
import { element, escapeText } from './xml.ts';

/** How a table is drawn. */
export interface ChartOptions {
  /** `bars` lie, one for each cell; `columns` stand beside each other (a histogram); `line` is for times. */
  readonly kind: 'bars' | 'columns' | 'line';
  readonly title: string;
  /** A measure whose sums are drawn; the counts without it. */
  readonly measure?: string;
  /** Begins the ids in the chart, for a page with several: letters, digits and hyphens. Default `chart`. */
  readonly id?: string;
}

/**
 * A table as one SVG document: no scripts, no styles, nothing from elsewhere; black and grey, with all numbers as
 * text in it and in its description. What is withheld is said to be, and never drawn as 0.
 * @throws ArchiveError `bad-query` for a measure that the table does not have, an id that is none, and for columns or
 *   a line of a table that is not by one dimension
 */
export function tableSvg(table: AggregateTable, options: ChartOptions): string {
  const { kind, title, measure, id = 'chart' } = options;
  const place = measure === undefined ? null : table.measures.indexOf(measure);
  if (place === -1) throw badQuery('no such measure in the table');
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(id)) throw badQuery('an id of letters, digits and hyphens');
  if (kind !== 'bars' && table.by.length !== 1) throw badQuery('columns and lines are of one dimension');
  const items = chartItems(table, place);
  const marks = { bars: barMarks, columns: columnMarks, line: lineMarks }[kind];
  const { width, height, content } = marks(items, table.cells.length);
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height + 40}`,
      role: 'img',
      'aria-labelledby': `${id}-title ${id}-desc`,
      'font-family': 'sans-serif',
      'font-size': 12,
    },
    [
      element('title', { id: `${id}-title` }, [escapeText(title)]),
      element('desc', { id: `${id}-desc` }, [escapeText(describe(table, items))]),
      element('rect', { width, height: height + 40, fill: '#fff' }, []),
      element('text', { x: 10, y: 24, 'font-size': 16, fill: '#000' }, [escapeText(title)]),
      element('g', { transform: 'translate(0 40)' }, content),
    ],
  );
}

function describe(table: AggregateTable, items: readonly ChartItem[]): string {
  const rounded = table.roundTo > 1 ? `, counts rounded to ${table.roundTo}` : '';
  const noisy = table.isNoisy ? ', with noise added' : '';
  const parts = items.map(({ label, said }) => `${label}: ${said}`);
  return `Numbers are of at least ${table.k}${rounded}${noisy}. ${parts.join('; ')}.`;
}
