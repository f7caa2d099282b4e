/** How a bench is run. `note` takes progress for people. */
export interface BenchOptions {
  readonly quick: boolean;
  readonly note: (text: string) => void;
}

/** One figure. `ratio` is larger-is-better against `against`, measured in the same run; `goal` the ratio asked for. */
export interface Row {
  readonly bench: string;
  readonly work: string;
  readonly runtime: string;
  readonly n: number;
  readonly value: number;
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  readonly against: string | null;
  readonly ratio: number | null;
  readonly goal: number | null;
  readonly met: boolean | null;
}

/** A figure without a peer, from one or more samples; `value` is their median. */
export function plainRow(work: Pick<Row, 'bench' | 'work' | 'n' | 'unit'>, samples: readonly number[]): Row {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    ...work,
    runtime: `node ${process.versions.node}`,
    value: percentile(sorted, 0.5),
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    against: null,
    ratio: null,
    goal: null,
    met: null,
  };
}

/** The value below which `share` of the sorted samples lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** A table, or one JSON object a line. */
export function printRows(rows: readonly Row[], json: boolean): void {
  if (json) {
    for (const row of rows) console.log(JSON.stringify(row));
    return;
  }
  console.table(
    rows.map(({ work, n, value, unit, min, max, against, ratio }) => ({
      work,
      n,
      value: round(value),
      unit,
      min: round(min),
      max: round(max),
      ...(against === null ? {} : { against, ratio: round(ratio as number) }),
    })),
  );
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
