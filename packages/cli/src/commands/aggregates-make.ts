import {
  publishAggregates,
  tableCsv,
  tableSvg,
  type AggregatePlan,
  type AggregateRelease,
  type AggregateTable,
  type ChartOptions,
} from '@keytide/archive/aggregates';
import { aggregateLedger, publishedRelease, publishRelease } from '@keytide/client/aggregates';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import { chosenTables, namesOf, tableLines, type TableChoice } from '../aggregate-table.ts';
import { parseDeclaration } from '../aggregate-declaration.ts';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { readFileBytes } from '../file-bytes.ts';
import { writeNewFile } from '../new-file.ts';
import type { Keytide } from '../organisation.ts';
import { requestRecords, type RequestRecords } from '../request-records.ts';
import { usageError } from '../usage.ts';

/** What is made, and what becomes of it. */
export interface AggregatesChoice extends TableChoice {
  readonly publish?: true;
  readonly offline?: true;
  readonly csv?: string;
  readonly svg?: string;
  readonly chart: ChartOptions['kind'];
}

const MAX_DECLARATION_BYTES = 1024 * 1024;

/** `keytide aggregates make`: numbers about the requests of a period, and with `--publish` the only ones there will be. */
export async function makeAggregates(
  context: Context,
  path: string,
  choice: AggregatesChoice,
): Promise<void> {
  if (choice.publish && choice.offline)
    throw usageError('publishing takes the relay', 'Give --publish or --offline, not both.');
  const plan = parseDeclaration(new TextDecoder().decode(await readFileBytes(path, MAX_DECLARATION_BYTES)));
  await withDevice(context, async (client) => {
    if (!choice.offline) await untilOnline(context, client);
    const requests = requestRecords(client.collections.requests.list());
    noteMissing(context, client, requests);
    const made = await releaseOf(client, plan, requests, choice);
    await tell(context, made, choice);
  });
}

/** A release, and whether it is the one that is published. */
interface Made {
  readonly release: AggregateRelease;
  readonly isPublished: boolean;
}

async function releaseOf(
  client: Keytide,
  plan: AggregatePlan,
  { records }: RequestRecords,
  { publish, offline }: AggregatesChoice,
): Promise<Made> {
  const { releases: collection } = client.collections;
  if (publish)
    return { release: await publishRelease(client, { plan, records, collection }), isPublished: true };
  const published = offline ? null : await publishedRelease(client, collection, plan);
  if (published !== null) return { release: published, isPublished: true };
  const ledger = aggregateLedger(client, plan.dataset);
  const { release } = publishAggregates({ plan, records, ledger, nowMs: Date.now(), random });
  return { release, isPublished: false };
}

async function tell(
  context: Context,
  { release, isPublished }: Made,
  choice: AggregatesChoice,
): Promise<void> {
  const { output } = context;
  const tables = chosenTables(release, choice);
  if (choice.csv !== undefined) await writeText(choice.csv, tableCsv(onlyOne(release, tables)));
  if (choice.svg !== undefined) {
    const table = onlyOne(release, tables);
    await writeText(choice.svg, tableSvg(table, { kind: choice.chart, title: table.view }));
  }
  output.result({ published: isPublished, release, tables }, tables.flatMap(tableLines));
  if (!isPublished) output.note('Not published: do not pass it on. --publish does, once for this period.');
}

function onlyOne(release: AggregateRelease, tables: readonly AggregateTable[]): AggregateTable {
  const [table, ...others] = tables;
  if (table === undefined || others.length > 0)
    throw usageError('a file is for the table of one view', `Give --view: one of ${namesOf(release)}.`);
  return table;
}

function writeText(path: string, text: string): Promise<void> {
  return writeNewFile(path, new TextEncoder().encode(text));
}

/** Numbers that are too low should not look complete. */
function noteMissing({ output }: Context, client: Keytide, { timeless }: RequestRecords): void {
  const { length } = client.unreadable;
  if (length > 0) output.note(`What this device cannot read is not counted: ${length}.`);
  if (timeless > 0) output.note(`Requests without a time are in no period: ${timeless}.`);
}
