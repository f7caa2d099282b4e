export { tableCsv } from './aggregates/csv.ts';
export type { Run } from './aggregates/atoms.ts';
export type { CategoryDimension, Dimension, NumberDimension } from './aggregates/dimension.ts';
export {
  costOf,
  openAggregateLedger,
  type AggregateLedger,
  type LedgerEntry,
  type PrivacyBudget,
} from './aggregates/ledger.ts';
export { percentile, type PercentileQuery, type PercentileRange } from './aggregates/percentile.ts';
export {
  fullPlan,
  type AggregatePlan,
  type FullPlan,
  type Measure,
  type Period,
  type View,
} from './aggregates/plan.ts';
export { publishAggregates, type PublishedAggregates, type PublishInput } from './aggregates/publish.ts';
export type { Selection } from './aggregates/query.ts';
export type { Atom } from './aggregates/atom.ts';
export { parseRelease, type AggregateRelease } from './aggregates/release.ts';
export type { AggregateRecord } from './aggregates/rows.ts';
export { tableSvg, type ChartOptions } from './aggregates/svg.ts';
export type {
  AggregateTable,
  TableAxis,
  TableCell,
  TableNumbers,
  TableQuery,
  TogetherCells,
  Withheld,
} from './aggregates/table.ts';
export { tabulate } from './aggregates/tabulate.ts';
export { utcDays } from './aggregates/utc-days.ts';
export { ArchiveError, type ArchiveErrorCode } from './errors.ts';
