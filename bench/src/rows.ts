import type { Clock } from './clock.ts';
import type { Samples } from './contest.ts';

/** How a bench is run. `note` takes progress for people. */
export interface BenchOptions {
  readonly quick: boolean;
  readonly clock: Clock;
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

/** What a row measures. `runtime` is this Node unless it says otherwise. */
export type Work = Pick<Row, 'bench' | 'work' | 'n' | 'unit'> & { readonly runtime?: string };

/** A figure without a peer, from one or more samples; `value` is their median. */
export function plainRow(work: Work, samples: readonly number[]): Row {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    runtime: `node ${process.versions.node}`,
    ...work,
    value: percentile(sorted, 0.5),
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    against: null,
    ratio: null,
    goal: null,
    met: null,
  };
}

/** A figure with a ratio that is known already. */
export function comparedRow(row: Row, against: string, ratio: number, goal: number | null): Row {
  return { ...row, against, ratio, goal, met: goal === null ? null : ratio >= goal };
}

/** How to read the samples of a contest. */
export interface Comparison {
  readonly ours: string;
  /** The figure in the work's unit for one round of so many ms. */
  readonly valueOf: (ms: number) => number;
  /** The ratio asked for, by peer. */
  readonly goals?: Readonly<Record<string, number>>;
}

/**
 * Our figure against each other side, then each other side's own figure. A ratio is the median of the rounds'
 * ratios of time, because two neighbours in time share what else the machine was doing.
 */
export function contestRows(work: Work, samples: Samples, { ours, valueOf, goals }: Comparison): Row[] {
  const own = samples[ours] ?? [];
  const row = plainRow(work, own.map(valueOf));
  const others = Object.entries(samples).filter(([name]) => name !== ours);
  const compared = others.map(([name, theirs]) => {
    const ratios = theirs.map((ms, place) => ms / (own[place] as number)).toSorted((a, b) => a - b);
    return comparedRow(row, name, percentile(ratios, 0.5), goals?.[name] ?? null);
  });
  const plain = others.map(([name, theirs]) =>
    plainRow({ ...work, work: `${work.work}: ${name}` }, theirs.map(valueOf)),
  );
  return [...(compared.length === 0 ? [row] : compared), ...plain];
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
  const runtimes = new Set(rows.map(({ runtime }) => runtime));
  console.table(
    rows.map(({ work, runtime, n, value, unit, min, max, against, ratio, goal, met }) => ({
      work,
      ...(runtimes.size === 1 ? {} : { runtime }),
      n,
      value: round(value),
      unit,
      min: round(min),
      max: round(max),
      ...(against === null ? {} : { against, ratio: round(ratio as number) }),
      ...(goal === null ? {} : { goal: round(goal), met }),
    })),
  );
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
