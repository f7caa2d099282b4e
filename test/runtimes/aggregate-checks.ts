import { parseRelease, publishAggregates, tableCsv, tableSvg, tabulate } from '@keytide/archive/aggregates';
import * as client from '@keytide/client/aggregates';
import { toHex, type Primitives, type Random } from '@keytide/crypto-core';
import { releaseHash } from '../../packages/client/src/aggregates-document.ts';
import { expectEqual, outcomeOf, type Checks } from './checks.ts';

const PERIOD = { field: 'at', from: 0, to: 86_400_000 };
const TIMES = { blockSeconds: 86_400, retentionSeconds: 86_400, exportSeconds: 86_400 };
const NAMES = ['north', 'east', 'south', 'west'];
const COUNTS = [31, 4, 7, 22];

/** What the membership log names the release of these numbers by. */
const HASH = '923b1da4d60dfba6a20a676eee44fd28def7ad65fe31e7fb094750e967c0064b';

/** Aggregates with noise, read back, and their table as text: the same wherever they are made. */
export async function checkAggregates(checks: Checks, primitives: Primitives, random: Random): Promise<void> {
  await checks.run('aggregates', () => {
    const views = [{ name: 'place', dimensions: [{ field: 'place', categories: NAMES }] }];
    const plan = { dataset: 'requests', period: PERIOD, views, roundTo: 5 };
    const records = NAMES.flatMap((place, index) =>
      Array.from({ length: COUNTS[index] ?? 0 }, () => ({ at: 1, place })),
    );
    const privacyBudget = { epsilonMilli: 1000, periodSeconds: 86_400 };
    const ledger = client.aggregateLedgerIn(
      { aggregates: [], policy: { ...TIMES, privacyBudget } },
      'requests',
    );
    const input = { plan, records, ledger, nowMs: PERIOD.to, random };
    const { release } = publishAggregates(input);
    // All of it is in the bundle, then.
    expectEqual(
      Object.values(client).every((each) => typeof each === 'function'),
      true,
    );
    expectEqual(toHex(releaseHash(primitives, release)), HASH);
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
