import { comparedRow, percentile, plainRow, type Row } from '../rows.ts';
import type { SizedMeasured } from './size-rows.ts';

/** How a figure may grow from one size to the next, and how far above a time may come out: other work, caches. */
interface Growth {
  readonly of: (measured: SizedMeasured) => number;
  readonly expected: (measured: SizedMeasured) => number;
  readonly like: string;
  readonly slack: number;
}

const TIME_SLACK = 1.25;
const GROWTHS: Readonly<Record<string, Growth>> = {
  'a lookup, B': { of: ({ lookupBytes }) => lookupBytes, expected: logarithm, like: 'log n', slack: 1 },
  'verify a lookup, µs': {
    of: ({ verifyMs }) => median(verifyMs['keytide'] ?? []),
    expected: logarithm,
    like: 'log n',
    slack: TIME_SLACK,
  },
  'log-in by replay, B': {
    of: ({ loginBytes }) => median(loginBytes),
    expected: change,
    like: 'the change',
    slack: 1,
  },
  'log-in by replay, ms': {
    of: ({ loginMs }) => median(loginMs),
    expected: change,
    like: 'the change',
    slack: TIME_SLACK,
  },
  'log-in by proofs, B': {
    of: ({ proofBytes }) => median(proofBytes),
    expected: logarithm,
    like: 'log n',
    slack: 1,
  },
  'log-in by proofs, ms': {
    of: ({ proofMs }) => median(proofMs),
    expected: logarithm,
    like: 'log n',
    slack: TIME_SLACK,
  },
  'append an entry, ms': {
    of: ({ appendMs, dayEntries }) => median(appendMs) / dayEntries,
    expected: logarithm,
    like: 'log n',
    slack: TIME_SLACK,
  },
  'replay, ms': {
    of: ({ replayMs }) => median(replayMs),
    expected: ({ entries }) => entries,
    like: 'n',
    slack: TIME_SLACK,
  },
};

/** By what each figure grew from size to size, against what it may grow by; `ratio` is expected over measured. */
export function growthRows(all: readonly SizedMeasured[]): Row[] {
  return Object.entries(GROWTHS).flatMap(([name, { of, expected, like, slack }]) =>
    all.slice(1).map((larger, place) => {
      const smaller = all[place] as SizedMeasured;
      const factor = of(larger) / of(smaller);
      const allowed = expected(larger) / expected(smaller);
      const span = `${smaller.devices.toLocaleString('en')} → ${larger.devices.toLocaleString('en')}`;
      const work = { bench: 'directory', work: `growth, ${span}: ${name}`, n: larger.devices, unit: 'times' };
      return comparedRow(
        plainRow(work, [factor]),
        `${like}: ${allowed.toPrecision(3)} times`,
        allowed / factor,
        1 / slack,
      );
    }),
  );
}

function logarithm({ devices }: SizedMeasured): number {
  return Math.log(devices);
}

function change({ dayEntries }: SizedMeasured): number {
  return dayEntries;
}

function median(samples: readonly number[]): number {
  return percentile(
    samples.toSorted((a, b) => a - b),
    0.5,
  );
}
