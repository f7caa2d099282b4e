import type { ChartItem } from './chart-items.ts';
import { element, escapeText } from './xml.ts';

/** What a kind of chart draws, below the title. */
export interface ChartMarks {
  readonly width: number;
  readonly height: number;
  readonly content: readonly string[];
}

/** Grey for a cell's own number; white with a dashed line for one that cells have together. */
export const OWN = { fill: '#555', stroke: '#000' } as const;
export const SHARED = { fill: '#fff', stroke: '#000', 'stroke-dasharray': '4 3' } as const;

const [WIDTH, LABEL_END, BAR_SPACE, ROW] = [720, 260, 300, 24];

/** Lying bars, one below the other, their labels on the left and what they say on the right. */
export function barMarks(items: readonly ChartItem[]): ChartMarks {
  const largest = Math.max(1, ...items.map(({ value }) => value ?? 0));
  const content = items.map(({ label, said, value, cells }, row) => {
    const length = ((value ?? 0) / largest) * BAR_SPACE;
    const look = cells.length > 1 ? SHARED : OWN;
    const y = row * ROW;
    return element('g', {}, [
      element('title', {}, [escapeText(`${label}: ${said}`)]),
      element('text', { x: LABEL_END - 8, y: y + 15, 'text-anchor': 'end' }, [
        escapeText(shortened(label, 38)),
      ]),
      value === null
        ? ''
        : element('rect', { x: LABEL_END, y: y + 3, width: length, height: ROW - 6, ...look }, []),
      element('text', { x: LABEL_END + length + 6, y: y + 15 }, [escapeText(said)]),
    ]);
  });
  return { width: WIDTH, height: items.length * ROW + 10, content };
}

/** The first characters, never half of one. */
export function shortened(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
