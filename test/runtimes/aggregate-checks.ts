import {
  openAggregateLedger,
  parseRelease,
  publishAggregates,
  tableCsv,
  tableSvg,
  tabulate,
} from '@keytide/archive/aggregates';
import type { Random } from '@keytide/crypto-core';
import { expectEqual, outcomeOf, type Checks } from './checks.ts';

const PERIOD = { field: 'at', from: 0, to: 1000 };
const NAMES = ['north', 'east', 'south', 'west'];
const COUNTS = [31, 4, 7, 22];

/** Aggregates with noise, read back, and their table as text: the same wherever they are made. */
export async function checkAggregates(checks: Checks, random: Random): Promise<void> {
  await checks.run('aggregates', () => {
    const views = [{ name: 'place', dimensions: [{ field: 'place', categories: NAMES }] }];
    const plan = { dataset: 'requests', period: PERIOD, views, roundTo: 5 };
    const records = NAMES.flatMap((place, index) =>
      Array.from({ length: COUNTS[index] ?? 0 }, () => ({ at: 1, place })),
    );
    const ledger = openAggregateLedger('requests', { epsilonMilli: 1000, periodMs: 1000 });
    const input = { plan, records, ledger, nowMs: PERIOD.to, random };
    const { release } = publishAggregates(input);
    const query = { view: 'place', by: [{ field: 'place' }] };
    const table = tabulate(parseRelease(JSON.parse(JSON.stringify(release))), query);
    const rows = ['north,30,,', 'east,,merged,1', 'south,,merged,1', 'west,25,,', ',10,,1'];
    expectEqual(tableCsv(table), ['place,count,withheld,together', ...rows, ''].join('\r\n'));
    const svg = tableSvg(table, { kind: 'bars', title: 'Calls \ud800 <2>' });
    expectEqual(svg.indexOf('Calls \ufffd &#60;2&#62;') > 0, true);

    const noisy = publishAggregates({ ...input, plan: { ...plan, epsilonMilli: 1000 } });
    expectEqual(noisy.ledger.releases[0]?.epsilonMilli, 1000);
    expectEqual(noisy.release.atoms[0]?.length, 3);
    const wrong = {
      ...plan,
      views: [{ name: 'place', dimensions: [{ field: 'place', categories: ['\ud800'] }] }],
    };
    expectEqual(
      outcomeOf(() => publishAggregates({ ...input, plan: wrong })),
      'bad-plan',
    );
  });
}
