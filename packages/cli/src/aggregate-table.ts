import { tabulate, type AggregateRelease, type AggregateTable } from '@keytide/archive/aggregates';
import { formatTable } from './table.ts';
import { usageError } from './usage.ts';

/** Which tables of a release are shown. */
export interface TableChoice {
  readonly view?: string;
  readonly by?: readonly string[];
}

/** The tables of a release: of one view, or of each. @throws CliError `usage`; ArchiveError `bad-query` */
export function chosenTables(
  release: AggregateRelease,
  { view: chosen, by }: TableChoice,
): readonly AggregateTable[] {
  const { views } = release.plan;
  if (by !== undefined && chosen === undefined)
    throw usageError('--by is for the table of one view', `Give --view: one of ${namesOf(release)}.`);
  if (chosen !== undefined && views.every(({ name }) => name !== chosen))
    throw usageError('the declaration has no such view', `Give --view: one of ${namesOf(release)}.`);
  return views
    .filter(({ name }) => chosen === undefined || name === chosen)
    .map(({ name, dimensions }) =>
      tabulate(release, {
        view: name,
        by: (by ?? dimensions.map(({ field }) => field)).map((field) => ({ field })),
      }),
    );
}

/** The views that a person can choose from. */
export function namesOf({ plan }: AggregateRelease): string {
  return plan.views.map(({ name }) => name).join(', ');
}

/** A table for people: what cells have together is told once, under them. */
export function tableLines(table: AggregateTable): string[] {
  const columns = [...table.by.map((field) => field.toUpperCase()), 'COUNT'];
  const rows = table.cells.map(({ labels, numbers, withheld, together }) => [
    ...labels,
    numbers !== null
      ? String(numbers.count)
      : together === null
        ? `withheld (${withheld})`
        : `with others (${together + 1})`,
  ]);
  const shared = table.together.map(({ cells, numbers }, place) => [
    `(${place + 1}) ${cells.length} together`,
    ...table.by.slice(1).map(() => ''),
    String(numbers.count),
  ]);
  const formatted = formatTable(
    columns.map((heading) => ({ heading, maxWidth: 40 })),
    [...rows, ...shared],
  );
  return [`${table.view}:`, ...formatted.map((line) => `  ${line}`)];
}
