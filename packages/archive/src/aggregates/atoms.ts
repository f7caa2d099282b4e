import { binCount } from './dimension.ts';
import type { FullPlan, View } from './plan.ts';
import { qualifies } from './qualify.ts';
import type { Row } from './rows.ts';

/** Bins from `from` to before `to`. */
export type Run = readonly [from: number, to: number];

/** One run of bins for each dimension of its view, and the rows in it. */
export interface RowBox {
  readonly box: readonly Run[];
  readonly rows: readonly Row[];
}

/**
 * Cuts all cells of a view into boxes of which each may be published (docs/spec/aggregates.md, atoms): every cell is
 * in exactly one. None at all if not even all rows together may be.
 */
export function atomsOf(plan: FullPlan, view: View, rows: readonly Row[]): readonly RowBox[] {
  const place = plan.views.indexOf(view);
  let boxes: readonly RowBox[] = qualifies(plan, rows) ? [{ box: [], rows }] : [];
  for (const [dimension, declared] of view.dimensions.entries()) {
    boxes = boxes.flatMap(({ box, rows: within }) => {
      const byBin: Row[][] = Array.from({ length: binCount(declared) }, () => []);
      for (const row of within) byBin[row.bins[place]?.[dimension] ?? -1]?.push(row);
      return runsOf(plan, byBin).map((part) => ({ box: [...box, part.run], rows: part.rows }));
    });
  }
  return boxes;
}

interface RunRows {
  readonly run: Run;
  readonly rows: readonly Row[];
}

/**
 * From the first bin on, a run ends as soon as it may be published; what is left at the end joins the run before.
 * Nothing else is looked at, so that where runs end tells no more than it must.
 */
function runsOf(plan: FullPlan, byBin: readonly (readonly Row[])[]): readonly RunRows[] {
  const runs: RunRows[] = [];
  let open: RunRows = { run: [0, 0], rows: [] };
  for (const [bin, rows] of byBin.entries()) {
    open = { run: [open.run[0], bin + 1], rows: open.rows.concat(rows) };
    if (!qualifies(plan, open.rows)) continue;
    runs.push(open);
    open = { run: [bin + 1, bin + 1], rows: [] };
  }
  if (open.run[0] === byBin.length) return runs;
  for (let before = runs.pop(); before !== undefined; before = runs.pop()) {
    open = { run: [before.run[0], byBin.length], rows: before.rows.concat(open.rows) };
    if (qualifies(plan, open.rows)) break;
  }
  return [...runs, open];
}
