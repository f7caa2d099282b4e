import { tableCsv, tabulate, type TableQuery } from '@keytide/archive/aggregates';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { PERIOD, release } from './world.ts';

const KINDS = ['medical', 'fire', 'traffic'];
const PLACES = ['north', 'east', 'south', 'west'];
const view = 'kind and place';

test('the example of docs/spec/aggregates.md is what it says', async () => {
  const page = await readFile(new URL('../../../../docs/spec/aggregates.md', import.meta.url), 'utf8');
  const counts = KINDS.map((kind) => {
    const row = new RegExp(`^\\| ${kind} \\| (.*) \\|$`, 'm').exec(page)?.[1]?.split(' | ').map(Number) ?? [];
    expect(row.slice(0, 4).reduce((sum, count) => sum + count, 0)).toBe(row[4]);
    return row.slice(0, 4);
  });
  const records = KINDS.flatMap((kind, row) =>
    PLACES.flatMap((place, column) =>
      Array.from({ length: counts[row]?.[column] ?? 0 }, () => ({ at: 1, kind, place })),
    ),
  );
  const dimensions = [
    { field: 'kind', categories: KINDS },
    { field: 'place', categories: PLACES },
  ];
  const made = release({ dataset: 'requests', period: PERIOD, views: [{ name: view, dimensions }] }, records);

  const named = (labels: readonly string[], [from, to]: readonly [number, number]) =>
    labels.slice(from, to).join(', ');
  const atoms = made.atoms[0]?.map(
    ({ box: [kinds = [0, 0], places = [0, 0]], count }) =>
      `    ${named(KINDS, kinds).padEnd(16)}${named(PLACES, places).padEnd(15)}${count}\n`,
  );
  expect(page).toContain(`count\n${atoms?.join('')}\n`);

  const tables: TableQuery[] = [
    { view, by: [{ field: 'place' }] },
    { view, by: [{ field: 'kind' }], where: [{ field: 'place', labels: ['west'] }] },
    { view, by: [{ field: 'kind' }], where: [{ field: 'place', labels: ['east'] }] },
  ];
  for (const query of tables) {
    const csv = tableCsv(tabulate(made, query));
    expect(page).toContain(`\n${csv.replaceAll(/(.*)\r\n/g, '    $1\n')}\n`);
  }
});
