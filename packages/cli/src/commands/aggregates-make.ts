import {
  publishAggregates,
  tableCsv,
  tableSvg,
  type AggregateLedger,
  type AggregatePlan,
  type AggregateRecord,
  type AggregateRelease,
  type AggregateTable,
  type ChartOptions,
} from '@keytide/archive/aggregates';
import {
  aggregateLedger,
  proposeRelease,
  publishedRelease,
  publishRelease,
  type ReleaseToPublish,
} from '@keytide/client/aggregates';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import { chosenTables, namesOf, tableLines, type TableChoice } from '../aggregate-table.ts';
import { assertOver, parseDeclaration } from '../aggregate-declaration.ts';
import { readIdentities } from '../archive-identities.ts';
import { archivedRequests, type ArchivedRequests } from '../archived-requests.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { readFileBytes } from '../file-bytes.ts';
import { writeNewFile } from '../new-file.ts';
import type { Keytide } from '../organisation.ts';
import { requestRecords } from '../request-records.ts';
import { usageError } from '../usage.ts';

/** What is made, of what, and what becomes of it. */
export interface AggregatesChoice extends TableChoice {
  /** Archives in place of what the device has, the oldest first. */
  readonly archive?: readonly string[];
  /** With archives: a file with the archive key. */
  readonly key?: string;
  readonly publish?: true;
  /** Where the proposal goes; the numbers go beside it. */
  readonly propose?: string;
  readonly yes?: true;
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
  const { archive = [], key, propose, offline } = choice;
  const publish = choice.publish ?? propose !== undefined;
  if (choice.publish && propose !== undefined)
    throw usageError('it is published or proposed', 'Give --publish or --propose, not both.');
  if (publish && offline)
    throw usageError('publishing takes the relay', 'Give --publish, --propose or --offline: one of them.');
  if (archive.length > 0 !== (key !== undefined))
    throw usageError('archives are opened with a key', 'Give --archive and --key, or neither.');
  const plan = parseDeclaration(new TextDecoder().decode(await readFileBytes(path, MAX_DECLARATION_BYTES)));
  const archived =
    key === undefined ? null : await archivedRequests(context, archive, await readIdentities(key));
  if (archived !== null && !publish) {
    const records = recordsOf(context, archived.requests, archived);
    await tell(context, made(plan, records, archived.ledger), choice);
    return;
  }
  await withDevice(context, async (client) => {
    if (!offline) await untilOnline(context, client);
    if (archived !== null && archived.org !== client.org)
      throw usageError('the archive is of another organisation', 'Give the --home of a device of that one.');
    if (archived !== null && archived.madeMs < plan.period.to)
      throw usageError(
        'the last archive was made before the period was over',
        'Give one that was made since.',
      );
    const unreadable = client.unreadable.filter(({ code }) => code !== 'invalid').length;
    const missing = archived ?? { unreadable, incomplete: 0 };
    const records = recordsOf(context, archived?.requests ?? client.collections.requests.list(), missing);
    if (publish) assertOver(plan, Date.now());
    if (propose !== undefined) {
      await proposeNumbers(context, client, { plan, records }, { ...choice, propose });
      return;
    }
    if (publish && !choice.yes) await confirm(context, questionOf(plan, missing));
    const release = await releaseOf(
      client,
      { plan, records, collection: client.collections.releases },
      choice,
    );
    await tell(context, release, choice);
  });
}

/** Into a file for other admins, and the numbers into one beside it: they approve what they have seen. */
async function proposeNumbers(
  context: Context,
  client: Keytide,
  of: Omit<ReleaseToPublish, 'collection'>,
  { propose, ...choice }: AggregatesChoice & { readonly propose: string },
): Promise<void> {
  const { proposal, release } = await proposeRelease(client, of);
  const { approvals } = client.readProposal(proposal);
  const numbers = `${propose}.json`;
  await writeNewFile(propose, proposal);
  await writeText(numbers, JSON.stringify(release));
  const tables = chosenTables(release, choice);
  context.output.result({ proposal: propose, numbers, approvals, release, tables }, [
    ...tables.flatMap(tableLines),
    `proposed in ${propose}, with the numbers in ${numbers}; approvals of other admins: ${approvals}`,
  ]);
  context.output.note('Next: they run `keytide approve` with --numbers, and you `keytide submit`.');
}

/** Once it is published, nobody ever has other numbers of this time. */
function questionOf(
  { period }: AggregatePlan,
  { unreadable, incomplete }: Pick<ArchivedRequests, 'unreadable' | 'incomplete'>,
): string {
  const [from, to] = [period.from, period.to].map((ms) => new Date(ms).toISOString().slice(0, 10));
  const lacking = unreadable + incomplete === 0 ? '' : ', too low as they are,';
  return `Publish the numbers from ${from} to before ${to}${lacking} for good?`;
}

/** A release, and whether it is the one that is published. */
interface Made {
  readonly release: AggregateRelease;
  readonly isPublished: boolean;
}

async function releaseOf(
  client: Keytide,
  toPublish: ReleaseToPublish,
  { publish, offline }: AggregatesChoice,
): Promise<Made> {
  const { plan, records, collection } = toPublish;
  if (publish) return { release: await publishRelease(client, toPublish), isPublished: true };
  const published = offline ? null : await publishedRelease(client, collection, plan);
  if (published !== null) return { release: published, isPublished: true };
  return made(plan, records, aggregateLedger(client, plan.dataset));
}

function made(plan: AggregatePlan, records: Iterable<AggregateRecord>, ledger: AggregateLedger): Made {
  const { release } = publishAggregates({ plan, records, ledger, nowMs: Date.now(), random });
  return { release, isPublished: false };
}

/** What is counted. Numbers that are too low should not look complete. */
function recordsOf(
  { output }: Context,
  requests: Parameters<typeof requestRecords>[0],
  { unreadable, incomplete }: Pick<ArchivedRequests, 'unreadable' | 'incomplete'>,
): readonly AggregateRecord[] {
  const { records, timeless } = requestRecords(requests);
  if (unreadable > 0) output.note(`What cannot be read is not counted: ${unreadable}.`);
  if (incomplete > 0)
    output.note(`Requests that begin before the first archive are not counted: ${incomplete}.`);
  if (timeless > 0) output.note(`Requests without a time are in no period: ${timeless}.`);
  return records;
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
