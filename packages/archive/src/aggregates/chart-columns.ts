import { OWN, SHARED, shortened, type ChartMarks } from './chart-bars.ts';
import type { ChartItem } from './chart-items.ts';
import { element, escapeText } from './xml.ts';

const [WIDTH, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT, LABEL_SPACE] = [720, 60, 10, 640, 240, 110];
const MOST_LABELS = 24;

/**
 * An item in its place: from one cell to before another. What cells have together is spread evenly over them, as in
 * a histogram with a wide bin.
 */
interface Placed {
  readonly item: ChartItem;
  readonly x: number;
  readonly width: number;
  /** `null` where nothing can be drawn. */
  readonly y: number | null;
}

/** Columns that stand side by side. */
export function columnMarks(items: readonly ChartItem[], cells: number): ChartMarks {
  const { placed, largest } = place(items, cells);
  const columns = placed.map(({ item, x, width, y }) =>
    element('g', {}, [
      named(item),
      y === null
        ? withheldMark(x + width / 2)
        : element('rect', { x, y, width, height: TOP + PLOT_HEIGHT - y, ...lookOf(item) }, []),
    ]),
  );
  return framed(placed, largest, columns);
}

/** A line through the middle of each item, broken where something is withheld. */
export function lineMarks(items: readonly ChartItem[], cells: number): ChartMarks {
  const { placed, largest } = place(items, cells);
  const lines = placed.slice(1).flatMap((to, index) => {
    const from = placed[index] as Placed;
    if (from.y === null || to.y === null) return [];
    return [element('line', { x1: middle(from), y1: from.y, x2: middle(to), y2: to.y, stroke: '#000' }, [])];
  });
  const points = placed.map((at) =>
    element('g', {}, [
      named(at.item),
      at.y === null
        ? withheldMark(middle(at))
        : element('circle', { cx: middle(at), cy: at.y, r: 4, ...lookOf(at.item) }, []),
    ]),
  );
  return framed(placed, largest, [...lines, ...points]);
}

function place(items: readonly ChartItem[], cells: number): { placed: readonly Placed[]; largest: number } {
  const evenly = items.map(({ value, cells: of }) => (value === null ? null : value / of.length));
  const largest = Math.max(1, ...evenly.map((value) => value ?? 0));
  const step = PLOT_WIDTH / cells;
  const placed = items.map((item, index) => {
    const [first, last] = [item.cells[0] ?? 0, item.cells[item.cells.length - 1] ?? 0];
    const isApart = last - first + 1 > item.cells.length;
    const share = evenly[index] ?? null;
    return {
      item,
      x: LEFT + first * step,
      width: (isApart ? 1 : last - first + 1) * step,
      y: share === null || isApart ? null : TOP + PLOT_HEIGHT * (1 - share / largest),
    };
  });
  return { placed, largest };
}

function framed(placed: readonly Placed[], largest: number, marks: readonly string[]): ChartMarks {
  const bottom = TOP + PLOT_HEIGHT;
  const every = Math.ceil(placed.length / MOST_LABELS);
  const labels = placed
    .filter((_, index) => index % every === 0)
    .map((at) => {
      const x = middle(at);
      const turned = `rotate(-50 ${x} ${bottom + 14})`;
      const attributes = { x, y: bottom + 14, 'text-anchor': 'end', 'font-size': 10, transform: turned };
      return element('text', attributes, [escapeText(shortened(at.item.span, 24))]);
    });
  const axis = [0, 0.5, 1].flatMap((part) => {
    const y = bottom - part * PLOT_HEIGHT;
    const text = String(Math.round(part * largest * 10) / 10);
    return [
      element('line', { x1: LEFT, y1: y, x2: LEFT + PLOT_WIDTH, y2: y, stroke: '#bbb' }, []),
      element('text', { x: LEFT - 6, y: y + 4, 'text-anchor': 'end' }, [text]),
    ];
  });
  return { width: WIDTH, height: bottom + LABEL_SPACE, content: [...axis, ...marks, ...labels] };
}

function middle({ x, width }: Placed): number {
  return x + width / 2;
}

function named({ label, said }: ChartItem): string {
  return element('title', {}, [escapeText(`${label}: ${said}`)]);
}

function withheldMark(x: number): string {
  const y = TOP + PLOT_HEIGHT / 2;
  const attributes = { x, y, 'text-anchor': 'middle', 'font-size': 10, transform: `rotate(-90 ${x} ${y})` };
  return element('text', attributes, ['withheld']);
}

function lookOf({ cells }: ChartItem): typeof OWN | typeof SHARED {
  return cells.length > 1 ? SHARED : OWN;
}
