import { publishedReleases, type ReleaseProblem } from '@keytide/client/aggregates';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { dateOf, nameOf } from '../describe-act.ts';
import { formatTable } from '../table.ts';

/** `keytide aggregates list`: what is published, by the membership log. */
export async function listAggregates(context: Context, { offline }: { offline?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    if (!offline) await untilOnline(context, client);
    const published = await publishedReleases(client, offline ? null : client.collections.releases);
    const rows = published.map(({ dataset, fromMs, toMs, entry, author, problem }) => [
      dataset,
      dateOf(fromMs),
      dateOf(toMs),
      String(entry),
      nameOf(client, client.devices().find(({ id }) => id === author)?.member ?? author),
      problem === null ? '' : PROBLEMS[problem],
    ]);
    const lines = rows.length === 0 ? ['nothing is published yet'] : formatTable(COLUMNS, rows);
    context.output.result({ published }, lines);
  });
}

const PROBLEMS: { readonly [P in ReleaseProblem]: string } = {
  'not-shown': 'not shown by the relay',
  'other-release': 'numbers of something else',
};

const COLUMNS = [
  { heading: 'OF', maxWidth: 40 },
  { heading: 'FROM', maxWidth: 10 },
  { heading: 'TO BEFORE', maxWidth: 10 },
  { heading: 'ENTRY', maxWidth: 8 },
  { heading: 'BY', maxWidth: 40 },
  { heading: '', maxWidth: 26 },
];
